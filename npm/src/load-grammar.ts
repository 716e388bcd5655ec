/** Fetches and instantiates the second WebAssembly module, which only answers of a given form need. */

import { DownloadError, OutOfMemoryError } from './errors.js';
import type { GrammarModule } from './wasm.js';

/**
 * The module, ready for use. Nothing of it is loaded before this is called.
 *
 * @param readBytes gives the `.wasm` file, where it cannot be fetched (Node); by default it is fetched from beside its JavaScript
 * @throws DownloadError, after which it can be tried again; OutOfMemoryError
 */
export async function loadGrammarModule(readBytes?: () => Promise<Uint8Array<ArrayBuffer>>): Promise<GrammarModule> {
  try {
    // Bundlers make a file of its own of what is imported like this.
    const { default: init, WasmGrammars } = await import('../wasm-grammar/inglenook_grammar_wasm.js');
    await (readBytes === undefined ? init() : init({ module_or_path: await readBytes() }));
    return { WasmGrammars };
  } catch (cause) {
    if (cause instanceof RangeError) {
      throw new OutOfMemoryError('There is no memory left for structured answers. Close other tabs and try again.', {
        cause,
      });
    }
    throw new DownloadError(
      `The module for structured answers could not be loaded (${String(cause)}). Check the connection and ask again.`,
      { cause },
    );
  }
}
