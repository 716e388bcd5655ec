/** The dedicated worker's script: a host whose commands and reports are messages. */

import { browserPlatform } from './browser-platform.js';
import { createHost } from './host.js';
import type { Command } from './protocol.js';
import { READY } from './worker-port.js';

const take = createHost(browserPlatform, (report) => postMessage(report));

addEventListener('message', ({ data }: MessageEvent<Command>) => take(data));
postMessage(READY);
