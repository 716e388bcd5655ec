/**
 * The dedicated workers' script. The first command says which of the two it is: a host whose commands and reports are messages, or
 * grammars for a host.
 */

import { browserPlatform } from './browser-platform.js';
import { compileAsset } from './deployment.js';
import { type GrammarCommand, type GrammarWorker, serveGrammars, withModule } from './grammar-worker.js';
import { createHost, type Platform } from './host.js';
import { loadGrammarModule } from './load-grammar.js';
import type { Command } from './protocol.js';
import { READY, startWorker } from './worker-port.js';

const platform: Platform = {
  ...browserPlatform,
  startGrammars: async ({ worker, grammarWasm }) => {
    const module = await compileAsset(grammarWasm);
    const started: GrammarWorker | undefined = await startWorker(worker).catch(() => undefined);
    return started && withModule(started, module);
  },
};

let take: ((command: never) => void) | undefined;
addEventListener('message', ({ data }: MessageEvent<Command | GrammarCommand>) => {
  take ??=
    data.type === 'grammars'
      ? serveGrammars(loadGrammarModule, (report, transfer) => postMessage(report, { transfer }))
      : createHost(platform, (report) => postMessage(report));
  take(data as never);
});
postMessage(READY);
