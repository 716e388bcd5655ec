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
  const inWorker = startsWorkers() && options?.worker !== false;
  const openPort = (assets: { worker: string }) => (inWorker ? workerPort(assets.worker) : localPort(browserPlatform));
  return createEngineOn(openPort, options, globalThis.document?.baseURI ?? location.href);
}

/**
 * Whether this thread can start a worker. Service workers cannot, nor can shared workers in Chrome and Safari; and in Firefox a worker
 * that starts one is blocked for ever in about one of seventy starts (seen in 153). Nothing is drawn in those threads.
 */
function startsWorkers(): boolean {
  if (typeof Worker === 'undefined') return false;
  return typeof document !== 'undefined' || !/\bGecko\//.test(navigator.userAgent);
}
