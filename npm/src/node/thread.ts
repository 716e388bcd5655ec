/** Workers where there are threads and no workers of the web: the package's script, with the words that it expects. */

import { fileURLToPath } from 'node:url';
import { Worker } from 'node:worker_threads';
import type { Assets } from '../assets.js';
import type { FirstCommand, Thread } from '../thread.js';
import { READY } from '../worker-port.js';

/** What a worker of the web has by itself. */
const BOOT = `
const { parentPort, workerData } = require('node:worker_threads');
globalThis.postMessage = (message, options) => parentPort.postMessage(message, options?.transfer);
globalThis.addEventListener = (_, take) => parentPort.on('message', (data) => take({ data }));
require('node:vm').runInThisContext(require('node:fs').readFileSync(workerData, 'utf8'), { filename: workerData });
`;

/** A running worker that was told `first`; nothing where the runtime starts none, or cannot give it the module. */
export async function startThreadInNode<Command, Report>(
  { worker }: Assets,
  first: FirstCommand,
): Promise<Thread<Command, Report> | undefined> {
  let thread: Worker;
  try {
    thread = new Worker(BOOT, { eval: true, workerData: fileURLToPath(worker), stdout: false });
  } catch {
    return undefined;
  }
  const isReady = await new Promise<boolean>((resolve) => {
    thread.once('message', (message) => resolve(message === READY));
    thread.once('error', () => resolve(false));
    thread.once('exit', () => resolve(false));
  });
  if (!isReady) return undefined;
  const started: Thread<Command, Report> = {
    postMessage: (message, transfer) => thread.postMessage(message, transfer as ArrayBuffer[] | undefined),
    onmessage: null,
    onerror: null,
    terminate: () => void thread.terminate(),
    // A program ends when it waits for nothing any more.
    keepAlive: (is) => (is ? thread.ref() : thread.unref()),
  };
  try {
    thread.postMessage(first);
  } catch {
    // The two threads share no modules.
    started.terminate();
    return undefined;
  }
  thread.on('message', (data: Report) => started.onmessage?.({ data } as MessageEvent<Report>));
  const end = (message: string) => started.onerror?.({ message } as ErrorEvent);
  thread.on('error', (error) => end(String(error)));
  thread.on('exit', () => end('it ended'));
  thread.unref();
  return started;
}
