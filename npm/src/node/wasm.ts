/** The WebAssembly modules from disk: Node's `fetch` reads no files. */

import { readFile } from 'node:fs/promises';
import { loadGrammarModule } from '../load-grammar.js';
import { loadWasm } from '../load-wasm.js';
import type { GrammarModule, WasmModule } from '../wasm.js';

/** The module, ready for use. */
export async function loadWasmInNode(): Promise<WasmModule> {
  return loadWasm(await read(new URL('../../wasm/inglenook_wasm_bg.wasm', import.meta.url)));
}

/** The second module, ready for use. */
export function loadGrammarModuleInNode(): Promise<GrammarModule> {
  return loadGrammarModule(() => read(new URL('../../wasm-grammar/inglenook_grammar_wasm_bg.wasm', import.meta.url)));
}

async function read(url: URL): Promise<Uint8Array<ArrayBuffer>> {
  return new Uint8Array(await readFile(url));
}
