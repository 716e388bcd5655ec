/** Entry for browsers: the engine runs in a dedicated worker, or in the caller's thread where there are none. */

import { browserPlatform } from './browser-platform.js';
import { type CreateEngineOptions, createEngineOn } from './create-engine.js';
import type { Engine } from './engine.js';
import { type InspectOptions, inspectOn, type ModelInspection } from './inspect.js';
import { localPort } from './local-port.js';
import { workerPort } from './worker-port.js';

export * from './public.js';

/**
 * Load a model and get ready to answer.
 *
 * @throws InglenookError of the class that names the cause; nothing is left behind then
 */
export function createEngine(options: CreateEngineOptions): Promise<Engine> {
  return createEngineOn(portFor(options), options, base());
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
    return inspectOn(portFor(options), source, options, base());
  },
};

function portFor(options: Pick<CreateEngineOptions, 'worker'>) {
  const inWorker = startsWorkers() && options?.worker !== false;
  return (assets: { worker: string }) => (inWorker ? workerPort(assets.worker) : localPort(browserPlatform));
}

function base(): string {
  return globalThis.document?.baseURI ?? location.href;
}

/**
 * Whether this thread can start a worker. Service workers cannot, nor can shared workers in Chrome and Safari; and in Firefox a worker
 * that starts one is blocked for ever in about one of seventy starts (seen in 153). Nothing is drawn in those threads.
 */
function startsWorkers(): boolean {
  if (typeof Worker === 'undefined') return false;
  return typeof document !== 'undefined' || !/\bGecko\//.test(navigator.userAgent);
}
