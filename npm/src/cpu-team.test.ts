import { expect, test } from 'vitest';
import { cpuExports } from '../test/fake-cpu.js';
import { takeNext } from './cpu-helper.js';
import { type CpuExports, ModuleOf } from './cpu-module.js';
import { CpuTeam } from './cpu-team.js';
import { type HelperLine, MessageLine, type Order, type OrderResult, ROOM } from './helper-line.js';
import { SharedOrders, sharedMemory } from './shared-orders.js';
import type { Thread } from './thread.js';

/** A helper that answers as `result` says, and notes its orders. */
class FakeLine implements HelperLine {
  readonly orders: string[] = [];
  readonly result: () => OrderResult | Promise<OrderResult>;
  ended = false;

  constructor(result: () => OrderResult | Promise<OrderResult> = () => new Uint8Array(8)) {
    this.result = result;
  }

  order({ kind, weights, offset, bytes }: Order): void {
    this.orders.push(`${kind} ${weights} ${offset} ${kind === 'learn' ? '' : bytes.length}`.trim());
  }

  end(): void {
    this.ended = true;
  }
}

/** A module in whose plans matmuls with these weights are due, and what it was told. Weights are planes of 5 MiB in buffer 0. */
function moduleOf(due: number[], overrides: Partial<CpuExports> = {}) {
  const told: string[] = [];
  let at = -1;
  const text = JSON.stringify(['none', false, [{ planes: [[0, 0, ROOM + 1024]] }]]);
  const exports = cpuExports({
    start: () => {
      at = -1;
    },
    go_on: () => {
      at += 1;
      return at < due.length ? 1 : 0;
    },
    share: (modules) => void told.push(`share ${modules}`),
    share_of: () => new TextEncoder().encodeInto(text, new Uint8Array(exports.memory.buffer, 32768)).written,
    text_bytes: () => text.length,
    due_weights: () => due[at] ?? -1,
    due_values: () => 4,
    compute: (module) => void told.push(`compute ${module}`),
    take: (module) => told.push(`take ${module}`) && 1,
    ...overrides,
  });
  exports.memory.grow(100);
  return { module: new ModuleOf(exports), told };
}

const PLAN = Uint32Array.of(0);

test('helpers learn weights once, before their first matmul, in pieces that fit', async () => {
  const { module, told } = moduleOf([3, 3, 4]);
  module.buffer(ROOM + 1024);
  const line = new FakeLine();
  const team = new CpuTeam(module, [line], 0);
  team.run(PLAN);
  team.run(PLAN);
  await team.idle();
  const learning = (weights: number) => [
    `learn ${weights} 0`,
    `planes ${weights} 0 ${ROOM}`,
    `planes ${weights} ${ROOM} 1024`,
  ];
  const multiply = (weights: number) => `multiply ${weights} 0 16`;
  const first = [...learning(3), multiply(3), multiply(3), ...learning(4), multiply(4)];
  expect(line.orders).toEqual([...first, multiply(3), multiply(3), multiply(4)]);
  expect(told).toEqual(['share 2', ...Array(6).fill(['compute 0', 'take 1']).flat()]);
});

test('weights that change are learned anew', async () => {
  const { module } = moduleOf([3]);
  const [weights, other] = [module.buffer(ROOM + 1024), module.buffer(16)];
  const line = new FakeLine();
  const team = new CpuTeam(module, [line], 0);
  const changes = [
    () => team.write(other, 0, new Uint8Array(4)),
    () => team.write(weights, 0, new Uint8Array(4)),
    () => team.copy(Float64Array.of(weights, 0, other, 0, 4)),
    () => team.copy(Float64Array.of(other, 0, weights, 0, 4)),
    () => team.releaseBuffer(weights),
  ];
  const learned: number[] = [];
  for (const change of changes) {
    team.run(PLAN);
    change();
    team.run(PLAN);
    await team.idle();
    learned.push(line.orders.splice(0).filter((order) => order.startsWith('learn')).length);
  }
  expect(learned).toEqual([1, 1, 0, 1, 1]);
});

test.each([
  ['that does not answer', () => undefined],
  ['whose answer comes later as nothing', async () => undefined],
])('the share of a helper %s is computed by the engine, then and from then on', async (_, result) => {
  const { module, told } = moduleOf([3]);
  module.buffer(ROOM + 1024);
  const lines = [new FakeLine(), new FakeLine(result)];
  const team = new CpuTeam(module, lines, 0);
  const left: number[] = [];
  team.onLost = (threads) => left.push(threads);
  team.run(PLAN);
  team.run(PLAN);
  await team.idle();
  expect(told).toEqual(['share 3', ...Array(2).fill(['compute 0', 'compute 2', 'take 1']).flat()]);
  expect([left, lines.map(({ ended }) => ended)]).toEqual([[2], [false, true]]);
});

test('an answer of another length loses its helper, and the last one ends all sharing', async () => {
  const { module, told } = moduleOf([3], { take: () => 0 });
  module.buffer(ROOM + 1024);
  const line = new FakeLine();
  const team = new CpuTeam(module, [line], 0);
  team.run(PLAN);
  await team.idle();
  expect(told).toEqual(['share 2', 'compute 0', 'share 1', 'compute 1']);
});

test('what is asked while helpers are at work is done after it, with the bytes it was asked with', async () => {
  const { module } = moduleOf([3]);
  module.buffer(ROOM + 1024);
  const buffer = module.buffer(4);
  let answer: (result: OrderResult) => void = () => undefined;
  const line = new FakeLine(() => new Promise((resolve) => (answer = resolve)));
  const team = new CpuTeam(module, [line], 0);
  team.run(PLAN);
  const bytes = Uint8Array.of(1, 2, 3, 4);
  team.write(buffer, 0, bytes);
  bytes.fill(9);
  const read = team.read(buffer, 0, 4);
  expect([...module.read(buffer, 0, 4)]).toEqual([0, 0, 0, 0]);
  const done = Promise.resolve(read).then((read) => [...read]);
  for (let turn = 0; turn < 20; turn += 1) {
    answer(new Uint8Array(8));
    await new Promise((resolve) => setTimeout(resolve));
  }
  expect(await done).toEqual([1, 2, 3, 4]);
  expect([...(team.read(buffer, 0, 4) as Uint8Array)]).toEqual([1, 2, 3, 4]);
});

test('a line of messages gives nothing for a worker that ends, or takes too long', async () => {
  const thread: Thread<Order, OrderResult> = {
    postMessage: () => undefined,
    onmessage: null,
    onerror: null,
    terminate: () => undefined,
  };
  const order: Order = { kind: 'multiply', weights: 1, offset: 0, bytes: new Uint8Array(4) };
  const line = new MessageLine(thread);
  line.order(order);
  const given = line.result(9000);
  thread.onmessage?.({ data: Uint8Array.of(7) } as MessageEvent);
  expect(await given).toEqual(Uint8Array.of(7));
  line.order(order);
  expect(await line.result(10)).toBeUndefined();
  line.order(order);
  const ended = line.result(9000);
  thread.onerror?.({ message: 'gone' } as ErrorEvent);
  expect(await ended).toBeUndefined();
  line.order(order);
  expect(await line.result(9000)).toBeUndefined();
});

test('orders and results take turns in shared memory', () => {
  const memory = sharedMemory(16);
  const [host, helper] = [new SharedOrders(memory), new SharedOrders(memory)];
  host.order({ kind: 'planes', weights: 70000, offset: 2 ** 30, bytes: Uint8Array.of(1, 2, 3) });
  const { bytes, ...order } = helper.next();
  expect([order, [...bytes]]).toEqual([{ kind: 'planes', weights: 70000, offset: 2 ** 30 }, [1, 2, 3]]);
  expect(host.result(5)).toBeUndefined();
  helper.answer(Uint8Array.of(5));
  expect([...(host.result(5) ?? [])]).toEqual([5]);
  host.order({ kind: 'forget', weights: 1, offset: 0, bytes: new Uint8Array(0) });
  expect(helper.next().kind).toBe('forget');
  helper.answer(undefined);
  expect(host.result(5)).toBeUndefined();
});

test('a helper that did not start fails its orders, one at a time', () => {
  const memory = sharedMemory(16);
  const [host, helper] = [new SharedOrders(memory), new SharedOrders(memory)];
  for (const weights of [1, 2]) {
    host.order({ kind: 'multiply', weights, offset: 0, bytes: Uint8Array.of(1) });
    takeNext(helper, undefined);
    expect(host.result(5)).toBeUndefined();
  }
  host.order({ kind: 'multiply', weights: 3, offset: 0, bytes: Uint8Array.of(1) });
  expect(helper.next().weights).toBe(3);
});
