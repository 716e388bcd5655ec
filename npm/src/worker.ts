/**
 * The dedicated workers' script. The first command says which of the two it is: a host whose commands and reports are messages, or
 * grammars for a host.
 */

import { browserPlatform } from './browser-platform.js';
import { compileAsset } from './deployment.js';
import { type GrammarCommand, type GrammarWorker, serveGrammars } from './grammar-worker.js';
import { createHost, type Platform } from './host.js';
import { loadGrammarModule } from './load-grammar.js';
import type { Command } from './protocol.js';
import { type GrammarNews, type GrammarWish, READY } from './worker-port.js';

let grammars: GrammarWorker | undefined;
let grammarsStarted: (worker: GrammarWorker | undefined) => void = () => undefined;

const platform: Platform = {
  ...browserPlatform,
  startGrammars: async ({ grammarWasm }) => {
    const module = await compileAsset(grammarWasm);
    const started = new Promise<GrammarWorker | undefined>((resolve) => {
      grammarsStarted = resolve;
    });
    try {
      wish({ type: 'startGrammars', module });
    } catch {
      // The two threads share no modules.
      return undefined;
    }
    return started;
  },
};

function wish(wish: GrammarWish): void {
  postMessage(wish);
}

function hear(news: GrammarNews): void {
  if (news.type === 'grammarsEnded') {
    grammars?.onerror?.({ message: news.message } as ErrorEvent);
    return;
  }
  const { line } = news;
  const end = { onerror: null, terminate: () => wish({ type: 'endGrammars' }) };
  grammars = line && Object.assign(line, end);
  grammarsStarted(grammars);
}

/** Grammars for a host, over the line to it, or over this worker's own where it comes without one. */
function serveOn(line: MessagePort | undefined): (command: GrammarCommand) => void {
  const serve = serveGrammars(loadGrammarModule, (report, transfer) => {
    if (line === undefined) postMessage(report, { transfer });
    else line.postMessage(report, { transfer });
  });
  if (line !== undefined) line.onmessage = ({ data }: MessageEvent<GrammarCommand>) => serve(data);
  return serve;
}

let take: ((command: never) => void) | undefined;
addEventListener('message', ({ data }: MessageEvent<Command | GrammarCommand | GrammarNews>) => {
  if (data.type === 'grammarsStarted' || data.type === 'grammarsEnded') return hear(data);
  take ??= data.type === 'grammars' ? serveOn(data.line) : createHost(platform, (report) => postMessage(report));
  take(data as never);
});
postMessage(READY);
