/** Where a model's bytes come from, and how the engine gets them. */

/** The longest piece that a model's reader may ask for, in bytes. */
export const LONGEST_READ = 4 << 20;

/** Byte ranges of one file, wherever it lives. One read at a time. */
export interface ByteSource {
  /** Length of the file in bytes, where it is known. */
  readonly size?: number | undefined;
  /** Whether going back is impossible or costs a second download. */
  readonly sequential?: boolean | undefined;
  /** Fill `target` with the bytes from `offset` on; returns how many came, fewer than asked only where the file ends. */
  readInto(offset: number, target: Uint8Array): Promise<number>;
  /** Let go of connections until the next read: browsers have few for a server. */
  pause?(): void;
  /** Let go of connections and buffers. */
  close?(): void;
}

/** What the WebAssembly module reads its model through (it calls it `JsSource`). */
export interface PieceSource {
  /** Length of the file in bytes, where it is known. */
  readonly size?: number | undefined;
  /**
   * Bytes from `offset` on: at least one and at most `length`, none only where the file ends. They stand in memory that is
   * used again, so copy them before the next call.
   */
  read(offset: number, length: number): Promise<Uint8Array>;
}
