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
