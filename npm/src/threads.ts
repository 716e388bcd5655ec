/** On how many threads the CPU computes, and why on no more. */

import { instantiateCpu, ModuleOf } from './cpu-module.js';
import { CpuTeam, LEAST_BY_MEMORY, LEAST_BY_MESSAGES } from './cpu-team.js';
import { type HelperLine, type StartThread, startLine } from './helper-line.js';
import type { ThreadsInfo } from './info.js';
import type { CpuModule } from './wasm.js';

/** Where the page is isolated, more are not the default: each holds a share of the weights beside the engine's own copy. */
const MOST_BY_DEFAULT = 4;

/** What a host has for its threads. */
export interface ThreadsPlatform {
  /** Not there where the host has to do without. */
  readonly start: StartThread | undefined;
  /** Whether threads can share memory. */
  readonly shared: boolean;
  readonly cores: number;
}

/** The module that computes on the CPU, and what is to be said of its threads. */
export interface StartedCpu {
  readonly module: CpuModule;
  readonly threads: ThreadsInfo;
  end(): void;
}

/**
 * The module with as many helpers as are wanted, and start.
 *
 * @param wanted threads; by default one, and where they share memory, as many as there are cores, up to four
 * @param onLost called when a helper was lost
 * @throws RangeError where there is no memory for the module
 */
export async function startCpu(
  module: WebAssembly.Module,
  { start, shared, cores }: ThreadsPlatform,
  wanted: number | undefined,
  onLost: (threads: ThreadsInfo) => void,
): Promise<StartedCpu> {
  const asked = wanted ?? (shared && start !== undefined ? Math.min(cores, MOST_BY_DEFAULT) : 1);
  const count = Math.max(1, Math.min(asked, start === undefined ? 1 : cores));
  const helper = async () => (start && startLine(start, module, shared))?.catch(() => undefined);
  const starting = Array.from({ length: count - 1 }, helper);
  const main = new ModuleOf(await instantiateCpu(module));
  const lines = (await Promise.all(starting)).filter((line): line is HelperLine => line !== undefined);
  const described = (threads: number, note: string | undefined): ThreadsInfo => {
    const exchange = threads === 1 ? 'none' : shared ? 'memory' : 'messages';
    return { count: threads, exchange, ...(note !== undefined && { note }) };
  };
  const note = () => {
    if (asked < 1) return 'one thread is the least';
    if (asked > 1 && start === undefined) return 'no worker can be started here';
    if (lines.length + 1 < count) return `of ${count - 1} workers ${lines.length} started`;
    return asked > cores ? `this machine has ${cores} core${cores === 1 ? '' : 's'}` : undefined;
  };
  const threads = described(lines.length + 1, note());
  if (lines.length === 0) return { module: main, threads, end: () => undefined };
  const team = new CpuTeam(main, lines, shared ? LEAST_BY_MEMORY : LEAST_BY_MESSAGES);
  team.onLost = (left) => onLost(described(left, 'a worker was lost, and its share is computed by the engine'));
  return { module: team, threads, end: () => team.end() };
}
