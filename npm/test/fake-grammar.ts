/** A stand-in for the grammar module: it constrains nothing, and refuses what the real one would not understand. */

import type { GrammarModule, WasmGrammars, WasmMatcher } from '../src/wasm.js';
import { wasmError } from './fake-wasm.js';

/** What became of it. */
export interface FakeGrammarLog {
  /** Specs that were compiled, parsed. */
  readonly compiled: unknown[];
  /** How often a `WasmGrammars` was made, and given back. */
  made: number;
  freed: number;
}

/** The words of a position behind which all may come. */
const ANYTHING = [8, 0, 0, 0xffffffff];

/** The module, and what is done with it. */
export function fakeGrammarModule(): { readonly module: GrammarModule; readonly log: FakeGrammarLog } {
  const log: FakeGrammarLog = { compiled: [], made: 0, freed: 0 };

  class FakeGrammars implements WasmGrammars {
    #freed = false;

    constructor(vocabulary: Uint8Array, eosTokens: Uint32Array, tokenize?: (bytes: Uint8Array) => Uint32Array) {
      if (!(vocabulary instanceof Uint8Array)) throw new TypeError('vocabulary must be a Uint8Array');
      if (!(eosTokens instanceof Uint32Array) || eosTokens.length === 0) throw new TypeError('eosTokens must be ids');
      if (tokenize?.(Uint8Array.of(104, 105)).length === 0) throw new TypeError('tokenize must give ids');
      log.made += 1;
    }

    compile(specJson: string): WasmMatcher {
      if (this.#freed) throw new Error('null pointer passed to rust');
      const spec: unknown = JSON.parse(specJson);
      if (JSON.stringify(spec).includes('"unsupported"')) {
        throw wasmError('BadRequest', 'The schema has `unsupported`, which is not supported. Leave it out.');
      }
      log.compiled.push(spec);
      return anything();
    }

    lacking(): Uint8Array[] {
      return [];
    }

    learn(): void {}

    free(): void {
      if (this.#freed) throw new Error('freed twice');
      this.#freed = true;
      log.freed += 1;
    }
  }

  return { module: { WasmGrammars: FakeGrammars }, log };
}

/** A matcher that allows everything and forces nothing. */
function anything(): WasmMatcher {
  return {
    step: () => Uint32Array.from(ANYTHING),
    again: () => undefined,
    free: () => undefined,
  };
}
