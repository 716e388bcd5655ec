/** The grammar module's part in one engine: loaded for the first request that needs it, and shared by all after it. */

import type { GrammarModule, WasmEngine, WasmGrammars, WasmTokenizer } from './wasm.js';

/** Gives an engine its grammars once they are needed. */
export class Grammars {
  readonly #loadModule: () => Promise<GrammarModule>;
  #ready: Promise<void> | undefined;
  #held: { readonly grammars: WasmGrammars; readonly tokenizer: WasmTokenizer } | undefined;
  #closed = false;

  constructor(loadModule: () => Promise<GrammarModule>) {
    this.#loadModule = loadModule;
  }

  /**
   * Resolved once this engine has its grammars, which it then keeps. Several that wait share one load; after one that failed,
   * the next request tries again.
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
    this.#held?.grammars.free();
    this.#held?.tokenizer.free();
    this.#held = undefined;
  }

  async #load(engine: WasmEngine): Promise<void> {
    const module = await this.#loadModule();
    // Closed meanwhile: the engine is gone, and whoever waits for it finds that out by itself.
    if (this.#closed) return;
    const tokenizer = engine.tokenizer();
    const grammars = new module.WasmGrammars(engine.vocabulary(), engine.eos_tokens(), (bytes) =>
      tokenizer.encode_bytes(bytes),
    );
    this.#held = { grammars, tokenizer };
    engine.set_grammars(grammars);
  }
}
