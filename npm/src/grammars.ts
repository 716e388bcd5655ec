/** The grammar module's part in one engine: loaded for the first request that needs it, and shared by all after it. */

import { type GrammarWorker, remoteGrammars } from './grammar-worker.js';
import type { EngineGrammars, GrammarModule, WasmEngine } from './wasm.js';

/** Where the module may run. */
export interface GrammarPlatform {
  /** The module in this thread. */
  loadModule(): Promise<GrammarModule>;
  /** The module in a worker of its own, where one starts; not there where none can. */
  startWorker?: (() => Promise<GrammarWorker | undefined>) | undefined;
}

/** Gives an engine its grammars once they are needed. */
export class Grammars {
  readonly #platform: GrammarPlatform;
  #ready: Promise<void> | undefined;
  #free: (() => void) | undefined;
  #closed = false;
  /** Called where they are compiled in this thread after all, since no worker starts. */
  onInline: () => void = () => undefined;

  constructor(platform: GrammarPlatform) {
    this.#platform = platform;
  }

  /**
   * Resolved once this engine has its grammars, which it then keeps. Several that wait share one load; after one that failed, and after
   * the end of the worker, the next request tries again.
   */
  provide(engine: WasmEngine): Promise<void> {
    this.#ready ??= this.#load(engine).catch((error: unknown) => {
      this.#ready = undefined;
      throw error;
    });
    return this.#ready;
  }

  /** Give the memory in both modules back. The engine must be closed before. */
  close(): void {
    this.#closed = true;
    // Forgotten first: a runtime may tell of the worker's end while it is being ended.
    const free = this.#free;
    this.#free = undefined;
    free?.();
  }

  async #load(engine: WasmEngine): Promise<void> {
    const worker = await this.#platform.startWorker?.();
    if (worker !== undefined) {
      this.#begin(engine, worker);
      return;
    }
    const module = await this.#platform.loadModule();
    // Closed meanwhile: the engine is gone, and whoever waits for it finds that out by itself.
    if (this.#closed) return;
    if (this.#platform.startWorker !== undefined) this.onInline();
    const tokenizer = engine.tokenizer();
    const grammars = new module.WasmGrammars(engine.vocabulary(), engine.eos_tokens(), (bytes) =>
      tokenizer.encode_bytes(bytes),
    );
    this.#free = () => {
      grammars.free();
      tokenizer.free();
    };
    // With a tokenizer at hand it never lacks any tokens.
    engine.set_grammars(grammars as EngineGrammars);
  }

  #begin(engine: WasmEngine, worker: GrammarWorker): void {
    if (this.#closed) {
      worker.terminate();
      return;
    }
    const tokenizer = engine.tokenizer();
    const free = () => {
      worker.terminate();
      tokenizer.free();
    };
    this.#free = free;
    const grammars = remoteGrammars(worker, tokenizer, () => {
      if (this.#free !== free) return;
      // The next request starts another.
      [this.#free, this.#ready] = [undefined, undefined];
      free();
    });
    grammars.begin(engine.vocabulary(), engine.eos_tokens());
    engine.set_grammars(grammars);
  }
}
