/** Instantiates the WebAssembly module. */

import init, { WasmEngine } from '../wasm/inglenook_wasm.js';
import { compileAsset } from './deployment.js';
import type { WasmModule } from './wasm.js';

/**
 * The module, ready for use.
 *
 * @param file its address, or its bytes where they cannot be fetched (Node)
 */
export async function loadWasm(file: string | Uint8Array<ArrayBuffer>): Promise<WasmModule> {
  await init({ module_or_path: typeof file === 'string' ? await compileAsset(file) : file });
  return { WasmEngine };
}
