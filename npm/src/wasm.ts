/** The face of the WebAssembly module, as this package uses it. `load-wasm.ts` checks the generated types against it. */

import type { PieceSource } from './source/source.js';

/** One loaded model on one device. */
export interface WasmEngine {
  /** Model and adapter facts: JSON of {@link import('./info.js').EngineInfo}. */
  info(): string;
  /** Start an answer; errors in the request are thrown here or by the first `next()`. */
  generate(requestJson: string): WasmGeneration;
  count_tokens(text: string): number;
  /** GPU counters since loading, as JSON. */
  counters(): string;
  /** Give all memory back, on the GPU too. Nothing else may be called afterwards. */
  close(): void;
}

/** One answer in the making. */
export interface WasmGeneration {
  /** The next event as JSON of {@link import('./protocol.js').GenerationEvent}, or `undefined` after the last. */
  next(): Promise<string | undefined>;
  /** End it within one decode step; `next()` then reports it as done with reason `aborted`. */
  cancel(): void;
}

/** Called by the module while it loads a model; `stage` is the name of what it is doing. */
export type WasmProgress = (loadedBytes: number, totalBytes: number | undefined, stage: string) => void;

/** The module, instantiated. */
export interface WasmModule {
  readonly WasmEngine: {
    load(
      source: PieceSource,
      optionsJson: string,
      onProgress: WasmProgress,
      signal?: AbortSignal | null,
    ): Promise<WasmEngine>;
  };
}
