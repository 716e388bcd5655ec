import { afterEach, beforeEach, expect, test, vi } from 'vitest';
import { DeploymentError } from './errors.js';
import type { Command, HostPort } from './protocol.js';
import { READY, workerPort } from './worker-port.js';

const SCRIPT = 'https://app.example/inglenook/worker.js';
const CLOSE: Command = { type: 'close' };

/** What a worker started from an address of this beginning does, in the place of running a script. */
type Behaviour = 'starts' | 'is blocked' | 'is refused' | { throws: string };
let behaviours: Record<string, Behaviour>;
let started: FakeWorker[];

class FakeWorker {
  onmessage: ((event: { data: unknown }) => void) | undefined;
  onerror: ((event: object) => void) | undefined;
  readonly url: string;
  readonly posted: unknown[] = [];
  terminated = false;

  constructor(url: string) {
    const behaviour = behaviours[url.startsWith('blob:') ? 'blob' : 'address'];
    if (behaviour === 'is refused') throw new DOMException('other origin', 'SecurityError');
    this.url = url;
    started.push(this);
    const message = typeof behaviour === 'object' ? behaviour.throws : undefined;
    setTimeout(() => {
      if (behaviour === 'starts') this.onmessage?.({ data: READY });
      else this.onerror?.({ message, preventDefault: () => undefined });
    }, 1);
  }
  postMessage(command: unknown, transfer: unknown[]): void {
    this.posted.push([command, transfer]);
  }
  terminate(): void {
    this.terminated = true;
  }
}

beforeEach(() => {
  started = [];
  vi.stubGlobal('Worker', FakeWorker);
  vi.stubGlobal(
    'fetch',
    async () => new Response('postMessage("ready")', { headers: { 'content-type': 'text/javascript' } }),
  );
});
afterEach(() => vi.unstubAllGlobals());

const module = {} as WebAssembly.Module;
const news = (worker: FakeWorker) => worker.posted.map((posted) => (posted as [{ type: string }])[0]);
/** A host that asks for a worker for grammars, which does `behaviour`. */
async function askForGrammars(behaviour: Behaviour): Promise<{ port: HostPort; host: FakeWorker }> {
  behaviours = { address: 'starts' };
  const port = workerPort(SCRIPT);
  port.post(CLOSE);
  const host = await runs();
  behaviours = { address: behaviour, blob: behaviour };
  host.onmessage?.({ data: { type: 'startThread', id: 7, first: { type: 'grammars', module } } });
  return { port, host };
}

const crashOf = (port: HostPort) => new Promise((resolve) => Object.assign(port, { onCrash: resolve }));
const runs = () => vi.waitUntil(() => started.find(({ posted }) => posted.length > 0));

test('commands wait in order until the worker runs, with what they transfer', async () => {
  behaviours = { address: 'starts' };
  const port = workerPort(SCRIPT);
  const { port1 } = new MessageChannel();
  port.post({ type: 'cancel', id: 1 }, [port1]);
  port.post(CLOSE);
  const worker = await runs();
  expect(worker.url).toBe(SCRIPT);
  expect(worker.posted).toEqual([
    [{ type: 'cancel', id: 1 }, [port1]],
    [CLOSE, []],
  ]);
});

test.each<Behaviour>(['is refused', 'is blocked'])(
  'a worker that %s at its address starts from a blob',
  async (behaviour) => {
    behaviours = { address: behaviour, blob: 'starts' };
    workerPort(SCRIPT).post(CLOSE);
    expect((await runs()).url).toMatch(/^blob:/);
    expect(started.filter(({ terminated }) => !terminated)).toHaveLength(1);
  },
);

test('a worker that is blocked both ways is a deployment fault that names the directive', async () => {
  behaviours = { address: 'is blocked', blob: 'is blocked' };
  const error = await crashOf(workerPort(SCRIPT));
  expect(error).toBeInstanceOf(DeploymentError);
  expect(String(error)).toMatch(/worker-src.*worker: false/);
});

test('a script that is not there is named, and no blob is tried', async () => {
  behaviours = { address: 'is blocked', blob: 'starts' };
  vi.stubGlobal('fetch', async () => new Response('', { status: 404 }));
  const error = await crashOf(workerPort(SCRIPT));
  expect(error).toBeInstanceOf(DeploymentError);
  expect(String(error)).toContain(`HTTP 404 for ${SCRIPT}`);
  expect(started).toHaveLength(1);
});

test('a script that fails in this browser says how', async () => {
  behaviours = { address: { throws: 'SyntaxError: #' }, blob: { throws: 'SyntaxError: #' } };
  const error = await crashOf(workerPort(SCRIPT));
  expect(error).toBeInstanceOf(DeploymentError);
  expect(String(error)).toMatch(/SyntaxError: #.*newer/);
});

test('a worker that starts after its end is ended, too', async () => {
  behaviours = { address: 'starts' };
  const port = workerPort(SCRIPT);
  port.post(CLOSE);
  port.terminate();
  await vi.waitUntil(() => started[0]?.terminated);
  expect(started[0]?.posted).toEqual([]);
});

test('worker for grammars is started beside its host, and not by it', async () => {
  const { host } = await askForGrammars('starts');
  await vi.waitUntil(() => host.posted.length === 2);
  const grammars = started[1];
  const line = expect.any(MessagePort);
  expect(grammars?.posted).toEqual([[{ type: 'grammars', module, line }, [line]]]);
  expect(host.posted[1]).toEqual([{ type: 'threadStarted', id: 7, line }, [line]]);
  grammars?.onerror?.({ message: 'out of memory' });
  expect(news(host)[2]).toEqual({ type: 'threadEnded', id: 7, message: 'out of memory' });
  expect(grammars?.terminated).toBe(false);
  host.onmessage?.({ data: { type: 'endThread', id: 7 } });
  expect(grammars?.terminated).toBe(true);
  expect(host.terminated).toBe(false);
});

test('host hears that no worker for grammars starts', async () => {
  const { host } = await askForGrammars('is blocked');
  await vi.waitUntil(() => host.posted.length === 2);
  expect(news(host)[1]).toEqual({ type: 'threadStarted', id: 7, line: undefined });
});

test('worker for grammars ends with its host, running or starting', async () => {
  const running = await askForGrammars('starts');
  await vi.waitUntil(() => running.host.posted.length === 2);
  running.port.terminate();
  expect(started.map(({ terminated }) => terminated)).toEqual([true, true]);
  started = [];
  const starting = await askForGrammars('starts');
  starting.port.terminate();
  await vi.waitUntil(() => started.length === 2 && started.every(({ terminated }) => terminated));
  expect(started[1]?.posted).toEqual([]);
});
