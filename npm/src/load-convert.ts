/** Fetches and instantiates the WebAssembly module that shows several files as one, which only models of several files need. */

import init, { WasmModelFile } from '../wasm-convert/inglenook_convert_wasm.js';
import { compileAsset } from './deployment.js';
import type { ConvertModule } from './wasm.js';

/**
 * The module, ready for use.
 *
 * @param file its address, or its bytes where they cannot be fetched (Node)
 */
export async function loadConvertModule(file: string | Uint8Array<ArrayBuffer>): Promise<ConvertModule> {
  await init({ module_or_path: typeof file === 'string' ? await compileAsset(file) : file });
  return { WasmModelFile };
}
