/**
 * A host in a dedicated worker, as browsers have it, and other workers beside it. All are started from here: in Firefox a worker that
 * starts one of its own is blocked for ever in about one of seventy starts (seen in 153).
 */

import { fetchAsset, watchPolicy, workerBlocked } from './deployment.js';
import { DeploymentError, InternalError, toInglenookError } from './errors.js';
import type { Command, HostPort, Report } from './protocol.js';
import type { ThreadNews, ThreadWish } from './thread.js';

/** What the worker's script says first: from then on it takes commands. */
export const READY = 'ready';

/**
 * Start a worker. The page needs no special headers for it: memory is shared only where it has them. Commands wait until it runs.
 *
 * @param url its script: one file without imports, of any origin that allows its text to be fetched
 */
export function workerPort(url: string): HostPort {
  let worker: Worker | undefined;
  const threads = new Map<number, StartedThread>();
  let ended = false;
  const waiting: [Command, Transferable[]][] = [];
  const port: HostPort = {
    post: (command, transfer = []) => {
      if (worker === undefined) waiting.push([command, transfer]);
      else worker.postMessage(command, transfer);
    },
    onReport: () => undefined,
    onCrash: () => undefined,
    terminate: () => {
      ended = true;
      worker?.terminate();
      for (const thread of threads.values()) thread.end();
    },
  };
  const begin = (started: Worker) => {
    if (ended) return started.terminate();
    worker = started;
    started.onmessage = ({ data }: MessageEvent<Report | ThreadWish>) => {
      if (data.type === 'startThread') {
        const tell = (news: ThreadNews, transfer: Transferable[]) => started.postMessage(news, transfer);
        threads.set(data.id, startThread(url, data, tell));
      } else if (data.type === 'endThread') {
        threads.get(data.id)?.end();
        threads.delete(data.id);
      } else port.onReport(data);
    };
    started.onmessageerror = () => port.onCrash(stopped('a message could not be read'));
    started.onerror = (event) => port.onCrash(stopped(event.message || 'without a word'));
    for (const [command, transfer] of waiting.splice(0)) started.postMessage(command, transfer);
  };
  startWorker(url).then(begin, (error: unknown) => port.onCrash(toInglenookError(error)));
  return port;
}

/** A worker beside a host, which may still be starting. */
interface StartedThread {
  end(): void;
}

function startThread(
  url: string,
  { id, first }: Extract<ThreadWish, { type: 'startThread' }>,
  tell: (news: ThreadNews, transfer: Transferable[]) => void,
): StartedThread {
  let worker: Worker | undefined;
  let ended = false;
  const begin = (started: Worker) => {
    if (ended) return started.terminate();
    worker = started;
    const { port1, port2 } = new MessageChannel();
    started.onerror = ({ message }) => tell({ type: 'threadEnded', id, message }, []);
    started.postMessage({ ...first, line: port1 }, [port1]);
    tell({ type: 'threadStarted', id, line: port2 }, [port2]);
  };
  const fail = () => tell({ type: 'threadStarted', id, line: undefined }, []);
  startWorker(url).then(begin).catch(fail);
  return {
    end: () => {
      ended = true;
      worker?.terminate();
    },
  };
}

/**
 * A running worker: from its address, else from a blob of its text. The blob serves where the script is of another origin, or comes
 * without the page's Cross-Origin-Embedder-Policy, which a blob inherits; the address where a policy forbids blobs.
 */
async function startWorker(url: string): Promise<Worker> {
  const violations = watchPolicy(url);
  try {
    const direct = await tryWorker(url);
    if (direct instanceof Worker) return direct;
    const text = await (await fetchAsset(url)).text();
    const blob = URL.createObjectURL(new Blob([text], { type: 'text/javascript' }));
    const indirect = await tryWorker(blob).finally(() => URL.revokeObjectURL(blob));
    if (indirect instanceof Worker) return indirect;
    // What the script itself threw has a message; what the browser blocked has none.
    if (indirect !== '')
      throw new DeploymentError(`The engine's worker does not start in this browser (${indirect}). Use a newer one.`);
    throw new DeploymentError(workerBlocked(await violations.directive(), url));
  } finally {
    violations.stop();
  }
}

/** The worker once it runs, or what was thrown in it, if the browser tells. */
function tryWorker(url: string): Promise<Worker | string> {
  return new Promise((resolve) => {
    let worker: Worker;
    try {
      worker = new Worker(trusted(url), { name: 'inglenook' });
    } catch {
      return resolve('');
    }
    worker.onerror = (event) => {
      event.preventDefault();
      worker.terminate();
      resolve(event.message ?? '');
    };
    worker.onmessage = ({ data }: MessageEvent<unknown>) => {
      if (data === READY) resolve(worker);
    };
  });
}

let policy: { createScriptURL(url: string): unknown } | undefined;

/** The address as pages want it that enforce Trusted Types, under a policy of the package's name if theirs allows that. */
function trusted(url: string): string {
  const { trustedTypes } = globalThis as { trustedTypes?: TrustedTypes };
  if (trustedTypes === undefined) return url;
  try {
    policy ??= trustedTypes.createPolicy('inglenook', { createScriptURL: (own) => own });
    return policy.createScriptURL(url) as string;
  } catch {
    // Not among the policies that the page allows, which need not mean that it enforces any.
    return url;
  }
}

/** The factory of the platform, which the type definitions do not have. */
interface TrustedTypes {
  createPolicy(
    name: string,
    rules: { createScriptURL(url: string): string },
  ): { createScriptURL(url: string): unknown };
}

function stopped(how: string): InternalError {
  return new InternalError(`The engine's worker stopped (${how}). Create a new engine.`);
}
