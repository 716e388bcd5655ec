/** A host in a dedicated worker, as browsers have it. */

import type { HostPort, Report } from './protocol.js';

/** Start a worker. The page needs no special headers for it, since it shares no memory. */
export function workerPort(): HostPort {
  // Bundlers look for exactly this expression.
  const worker = new Worker(new URL('./worker.js', import.meta.url), { type: 'module', name: 'inglenook' });
  const port: HostPort = {
    post: (command, transfer = []) => worker.postMessage(command, transfer),
    onReport: () => undefined,
    onCrash: () => undefined,
    terminate: () => worker.terminate(),
  };
  worker.onmessage = ({ data }: MessageEvent<Report>) => port.onReport(data);
  worker.onmessageerror = () => port.onCrash('a message could not be read');
  worker.onerror = (event) => port.onCrash(event.message || 'its script could not be loaded');
  return port;
}
