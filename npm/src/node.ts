/**
 * Entry for Node, Deno and Bun: the engine runs in the caller's thread, on the runtime's WebGPU or the npm package `webgpu`; grammars, and
 * helpers of the CPU, have threads of their own.
 */

import { availableParallelism } from 'node:os';
import { pathToFileURL } from 'node:url';
import { type CreateEngineOptions, createEngineOn } from './create-engine.js';
import type { Engine } from './engine.js';
import { localPort } from './local-port.js';
import { addressOf } from './node/address.js';
import { openModelInNode } from './node/file.js';
import { provideGpu } from './node/gpu.js';
import { openPageStoreInNode } from './node/page-store.js';
import { startThreadInNode } from './node/thread.js';
import { compileInNode, loadGrammarModuleInNode, loadWasmInNode, readTextInNode } from './node/wasm.js';

export * from './public.js';

/**
 * Load a model and get ready to answer. A model may be given as a path, too: it is taken from the working directory, and `~/` is the
 * user's folder.
 *
 * @throws InglenookError of the class that names the cause; nothing is left behind then
 */
export function createEngine(options: CreateEngineOptions): Promise<Engine> {
  const port = async () => {
    // By default a missing one is no error, but the reason why the model runs on the CPU.
    if (options?.device === 'gpu') await provideGpu();
    else if (options?.device !== 'cpu') await provideGpu().catch(() => undefined);
    return localPort({
      loadModule: loadWasmInNode,
      loadGrammarModule: loadGrammarModuleInNode,
      compile: compileInNode,
      readText: readTextInNode,
      openModel: openModelInNode,
      openPageStore: openPageStoreInNode,
      shared: true,
      cores: availableParallelism(),
      ...(options?.worker !== false && { startThread: startThreadInNode }),
    });
  };
  const named = typeof options?.model === 'string' ? { ...options, model: addressOf(options.model) } : options;
  return createEngineOn(port, named, pathToFileURL('./').href);
}
