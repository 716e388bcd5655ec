/** Fetches and instantiates the second WebAssembly module, which only answers of a given form need. */

import { DownloadError, OutOfMemoryError } from './errors.js';
import type { GrammarModule } from './wasm.js';

/**
 * The module, ready for use. Nothing of it is loaded before this is called.
 *
 * @param openFile gives the `.wasm` file; by default it is fetched from where the package is
 * @throws DownloadError, after which it can be tried again; OutOfMemoryError
 */
export async function loadGrammarModule(
  openFile: () => Promise<Response | Uint8Array<ArrayBuffer>> = fetchFile,
): Promise<GrammarModule> {
  try {
    // Before its JavaScript: that a fetch failed is forgotten, but that an import failed is remembered by Firefox and Safari for as
    // long as the worker lives.
    const file = await openFile();
    // Bundlers make a file of its own of what is imported like this.
    const { default: init, WasmGrammars } = await import('../wasm-grammar/inglenook_grammar_wasm.js');
    await init({ module_or_path: file });
    return { WasmGrammars };
  } catch (cause) {
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

async function fetchFile(): Promise<Response> {
  // Bundlers look for exactly this expression.
  const url = new URL('../wasm-grammar/inglenook_grammar_wasm_bg.wasm', import.meta.url);
  const response = await fetch(url);
  if (!response.ok) throw new Error(`HTTP ${response.status} for ${url.href}`);
  return response;
}
