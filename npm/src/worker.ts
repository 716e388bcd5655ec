/**
 * The dedicated workers' script. The first command says which of three it is: a host whose commands and reports are messages, or grammars
 * for a host, or a helper of one.
 */

import { browserPlatform } from './browser-platform.js';
import { helpByMemory, helpByMessage, startHelper } from './cpu-helper.js';
import { type GrammarCommand, serveGrammars } from './grammar-worker.js';
import type { Order } from './helper-line.js';
import { createHost, type Platform } from './host.js';
import { loadGrammarModule } from './load-grammar.js';
import type { Command } from './protocol.js';
import { type FirstCommand, type ThreadNews, Threads } from './thread.js';
import { READY } from './worker-port.js';

const threads = new Threads((wish) => postMessage(wish));
const platform: Platform = { ...browserPlatform, startThread: (_, first) => threads.start(first) };

/** Grammars for a host. */
function serve(say: Say): (command: GrammarCommand) => void {
  return serveGrammars(loadGrammarModule, say);
}

/** Helps a host to compute. */
function help({ module, memory }: Extract<FirstCommand, { type: 'helper' }>, say: Say): (order: Order) => void {
  const helper = startHelper(module).catch(() => undefined);
  if (memory !== undefined) void helper.then((helper) => helpByMemory(memory, helper));
  return (order) => void helper.then((helper) => helpByMessage(order, helper, say));
}

type Say = (report: unknown, transfer: Transferable[]) => void;

/** What takes the commands that follow the first, over the line that came with it, or over this worker's own. */
function begin(first: Command | FirstCommand): (command: never) => void {
  if (first.type !== 'grammars' && first.type !== 'helper')
    return createHost(platform, (report) => postMessage(report));
  const { line } = first;
  const say: Say = (report, transfer) => {
    if (line === undefined) postMessage(report, { transfer });
    else line.postMessage(report, transfer);
  };
  const take = first.type === 'grammars' ? serve(say) : help(first, say);
  if (line !== undefined) line.onmessage = ({ data }) => take(data as never);
  return take;
}

let take: ((command: never) => void) | undefined;
addEventListener('message', ({ data }: MessageEvent<Command | FirstCommand | ThreadNews>) => {
  if (data.type === 'threadStarted' || data.type === 'threadEnded') return threads.hear(data);
  if (take === undefined) {
    take = begin(data);
    // The first of a helper is no order.
    if (data.type === 'helper') return;
  }
  take(data as never);
});
postMessage(READY);
