/** Entry for browsers: the engine runs in a dedicated worker, or in the caller's thread where there are none. */

import { browserPlatform } from './browser-platform.js';
import { type CreateEngineOptions, createEngineOn } from './create-engine.js';
import type { Engine } from './engine.js';
import { localPort } from './local-port.js';
import { workerPort } from './worker-port.js';

export * from './public.js';

/**
 * Load a model and get ready to answer.
 *
 * @throws InglenookError of the class that names the cause; nothing is left behind then
 */
export function createEngine(options: CreateEngineOptions): Promise<Engine> {
  // Service workers have none, nor have shared workers in Chrome and Safari; nothing is drawn in those threads.
  const inWorker = typeof Worker !== 'undefined' && options?.worker !== false;
  const openPort = (assets: { worker: string }) => (inWorker ? workerPort(assets.worker) : localPort(browserPlatform));
  return createEngineOn(openPort, options, globalThis.document?.baseURI ?? location.href);
}
