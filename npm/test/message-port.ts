/** A host at the other end of real messages, as in a worker: all that crosses is cloned. */

import { createHost, type Platform } from '../src/host.js';
import type { Command, HostPort, Report } from '../src/protocol.js';

/** A port to a new host, with a count of how often it was terminated. */
export function messagePort(platform: Platform): HostPort & { terminated: number } {
  const { port1, port2 } = new MessageChannel();
  const take = createHost(platform, (report) => port2.postMessage(report));
  port2.onmessage = ({ data }: MessageEvent<Command>) => take(data);
  const port: HostPort & { terminated: number } = {
    terminated: 0,
    post: (command, transfer = []) => port1.postMessage(command, transfer),
    onReport: () => undefined,
    onCrash: () => undefined,
    terminate: () => {
      port.terminated += 1;
      port1.close();
    },
  };
  port1.onmessage = ({ data }: MessageEvent<Report>) => port.onReport(data);
  return port;
}
