/** Entry for browsers: the engine runs in a dedicated worker. */

import { type CreateEngineOptions, createEngineOn } from './create-engine.js';
import type { Engine } from './engine.js';
import { workerPort } from './worker-port.js';

export * from './public.js';

/**
 * Load a model and get ready to answer.
 *
 * @throws InglenookError of the class that names the cause; nothing is left behind then
 */
export function createEngine(options: CreateEngineOptions): Promise<Engine> {
  return createEngineOn(workerPort, options, document.baseURI);
}
