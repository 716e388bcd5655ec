/** Instantiates the WebAssembly module. */

import init, { WasmEngine } from '../wasm/inglenook_wasm.js';
import type { WasmModule } from './wasm.js';

/**
 * The module, ready for use.
 *
 * @param bytes the `.wasm` file, where it cannot be fetched (Node); by default it is fetched from beside its JavaScript
 */
export async function loadWasm(bytes?: Uint8Array<ArrayBuffer>): Promise<WasmModule> {
  await (bytes === undefined ? init() : init({ module_or_path: bytes }));
  return { WasmEngine };
}
