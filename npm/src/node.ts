/**
 * Entry for Node, Deno and Bun: the engine runs in the caller's thread, on the runtime's WebGPU or the npm package `webgpu`; grammars, and
 * helpers of the CPU, have threads of their own.
 */

import { availableParallelism } from 'node:os';
import { pathToFileURL } from 'node:url';
import { type CreateEngineOptions, createEngineOn } from './create-engine.js';
import type { Engine } from './engine.js';
import { type InspectOptions, inspectOn, type ModelInspection } from './inspect.js';
import { localPort } from './local-port.js';
import { addressOf } from './node/address.js';
import { openFilesInNode, openModelInNode } from './node/file.js';
import { provideGpu } from './node/gpu.js';
import { openPageStoreInNode } from './node/page-store.js';
import { startThreadInNode } from './node/thread.js';
import {
  compileInNode,
  loadConvertModuleInNode,
  loadGrammarModuleInNode,
  loadWasmInNode,
  readTextInNode,
} from './node/wasm.js';
import type { HostPort } from './protocol.js';

export * from './public.js';

/**
 * Load a model and get ready to answer. A model may be given as a path, too: it is taken from the working directory, and `~/` is the
 * user's folder.
 *
 * @throws InglenookError of the class that names the cause; nothing is left behind then
 */
export function createEngine(options: CreateEngineOptions): Promise<Engine> {
  const named = typeof options?.model === 'string' ? { ...options, model: addressOf(options.model) } : options;
  return createEngineOn(() => openPort(options), named, pathToFileURL('./').href);
}

/** What can be asked of a model that is not loaded. */
export const Model = {
  /**
   * What a model is, whether it can be run here, in how much memory and how fast, from its header alone: of a file on a server, no more
   * than that is fetched.
   *
   * @throws InglenookError where the header cannot be read. That the model cannot be run is no error.
   */
  inspect(source: CreateEngineOptions['model'], options: InspectOptions = {}): Promise<ModelInspection> {
    const named = typeof source === 'string' ? addressOf(source) : source;
    return inspectOn(() => openPort(options), named, options, pathToFileURL('./').href);
  },
};

async function openPort(options: Pick<CreateEngineOptions, 'device' | 'worker'>): Promise<HostPort> {
  // By default a missing one is no error, but the reason why the model runs on the CPU.
  if (options?.device === 'gpu') await provideGpu();
  else if (options?.device !== 'cpu') await provideGpu().catch(() => undefined);
  return localPort({
    loadModule: loadWasmInNode,
    loadGrammarModule: loadGrammarModuleInNode,
    loadConvertModule: loadConvertModuleInNode,
    compile: compileInNode,
    readText: readTextInNode,
    openFiles: openFilesInNode,
    openModel: openModelInNode,
    openPageStore: openPageStoreInNode,
    shared: true,
    cores: availableParallelism(),
    ...(options?.worker !== false && { startThread: startThreadInNode }),
  });
}
