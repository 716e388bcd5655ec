/** Entry of the dedicated worker: a host whose commands and reports are messages. */

import { createHost } from './host.js';
import { loadGrammarModule } from './load-grammar.js';
import { loadWasm } from './load-wasm.js';
import type { Command } from './protocol.js';
import { openModel } from './source/open.js';

const take = createHost(
  { loadModule: () => loadWasm(), loadGrammarModule: () => loadGrammarModule(), openModel },
  (report) => postMessage(report),
);

addEventListener('message', ({ data }: MessageEvent<Command>) => take(data));
