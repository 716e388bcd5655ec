/** Where a model's bytes come from. */

/** The longest piece that a model's reader may ask for, in bytes. */
export const LONGEST_READ = 4 << 20;

/**
 * Byte ranges of one file. The WebAssembly module reads its model through this (it calls it `JsSource`).
 *
 * Nothing here may hold more of the file than a few pieces.
 */
export interface ByteSource {
  /** Length of the file in bytes, where it is known. */
  readonly size?: number | undefined;
  /** Whether going back is impossible or costs a second download. */
  readonly sequential?: boolean | undefined;
  /**
   * The bytes from `offset` on: `length` of them, fewer only where the file ends.
   * The result may share memory with later results, so copy it before the next call.
   */
  read(offset: number, length: number): Promise<Uint8Array>;
  /** Let go of connections and buffers. */
  close?(): void;
}
