/** The WebAssembly module from disk: Node's `fetch` reads no files. */

import { readFile } from 'node:fs/promises';
import { loadWasm } from '../load-wasm.js';
import type { WasmModule } from '../wasm.js';

/** The module, ready for use. */
export async function loadWasmInNode(): Promise<WasmModule> {
  const bytes = await readFile(new URL('../../wasm/inglenook_wasm_bg.wasm', import.meta.url));
  return loadWasm(new Uint8Array(bytes));
}
