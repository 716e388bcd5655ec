/** Fetches and instantiates the second WebAssembly module, which only answers of a given form need. */

import init, { WasmGrammars } from '../wasm-grammar/inglenook_grammar_wasm.js';
import { compileAsset } from './deployment.js';
import { DownloadError, InglenookError, OutOfMemoryError } from './errors.js';
import type { GrammarModule } from './wasm.js';

/**
 * The module, ready for use.
 *
 * @param file its address; or its bytes, where they cannot be fetched (Node), or what they were compiled to
 * @throws DeploymentError; DownloadError, after which it can be tried again; OutOfMemoryError
 */
export async function loadGrammarModule(
  file: string | Uint8Array<ArrayBuffer> | WebAssembly.Module,
): Promise<GrammarModule> {
  try {
    await init({ module_or_path: typeof file === 'string' ? await compileAsset(file) : file });
    return { WasmGrammars };
  } catch (cause) {
    if (cause instanceof InglenookError) throw cause;
    if (cause instanceof RangeError) {
      const message = 'There is no memory left for structured answers. Close other tabs and try again.';
      throw new OutOfMemoryError(message, { cause });
    }
    throw new DownloadError(
      `The module for structured answers could not be loaded (${String(cause)}). Check the connection and ask again.`,
      { cause },
    );
  }
}
