/** A host in the caller's own thread, for runtimes where a worker would bring nothing. */

import { createHost, type Platform } from './host.js';
import type { HostPort } from './protocol.js';

/** Commands and reports are queued, as messages would be: neither side ever runs inside the other. */
export function localPort(platform: Platform): HostPort {
  let ended = false;
  const take = createHost(platform, (report) => {
    queueMicrotask(() => {
      if (!ended) port.onReport(report);
    });
  });
  const port: HostPort = {
    post: (command) => queueMicrotask(() => take(command)),
    onReport: () => undefined,
    onCrash: () => undefined,
    terminate: () => {
      take({ type: 'close' });
      ended = true;
    },
  };
  return port;
}
