/** The package's files from disk: Node's `fetch` reads no files. */

import { readFile } from 'node:fs/promises';
import { DeploymentError } from '../errors.js';
import { loadConvertModule } from '../load-convert.js';
import { loadGrammarModule } from '../load-grammar.js';
import { loadWasm } from '../load-wasm.js';
import type { ConvertModule, GrammarModule, WasmModule } from '../wasm.js';

/** The module, ready for use. */
export async function loadWasmInNode(url: string): Promise<WasmModule> {
  return loadWasm(await read(url));
}

/** The second module, ready for use. */
export async function loadGrammarModuleInNode(url: string): Promise<GrammarModule> {
  return loadGrammarModule(await read(url));
}

/** The module for models of several files, ready for use. */
export async function loadConvertModuleInNode(url: string): Promise<ConvertModule> {
  return loadConvertModule(await read(url));
}

/** A module, compiled. */
export async function compileInNode(url: string): Promise<WebAssembly.Module> {
  return WebAssembly.compile(await read(url));
}

/** A text. */
export async function readTextInNode(url: string): Promise<string> {
  return new TextDecoder().decode(await read(url));
}

/** A file of the package. @throws DeploymentError */
async function read(url: string): Promise<Uint8Array<ArrayBuffer>> {
  try {
    return new Uint8Array(await readFile(new URL(url)));
  } catch (cause) {
    const message = `A file of the package is missing (${String(cause)}). Install the package again; if the program is bundled, keep inglenook out of the bundle, or pass the folder of its files as \`assetsUrl\`.`;
    throw new DeploymentError(message, { cause });
  }
}
