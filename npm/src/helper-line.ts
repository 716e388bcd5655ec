/** How the engine's module gives orders to a helper: through memory that both share, where the page is isolated; else by messages. */

import { SharedOrders, sharedMemory } from './shared-orders.js';
import type { FirstCommand, Thread } from './thread.js';

/** What a helper can be told to do. */
export const ORDER_KINDS = ['learn', 'planes', 'forget', 'multiply'] as const;

/** To a helper. */
export interface Order {
  readonly kind: (typeof ORDER_KINDS)[number];
  /** The number of the weights that it is about. */
  readonly weights: number;
  /** Of planes, where they belong among all of these weights. */
  readonly offset: number;
  /** The text that describes weights; planes; or rows of x. */
  readonly bytes: Uint8Array;
}

/** What comes of an order: products, or no bytes; `undefined` where it failed. */
export type OrderResult = Uint8Array | undefined;

/** Bytes of an order or a result at most. */
export const ROOM = 4 * 2 ** 20;

/** The line to a helper. Each order has one result, which is asked for before the next order. */
export interface HelperLine {
  order(order: Order): void;
  /** `undefined`, too, where none comes within so many milliseconds. */
  result(patience: number): OrderResult | Promise<OrderResult>;
  end(): void;
}

/** Starts a worker. */
export type StartThread = <Command, Report>(first: FirstCommand) => Promise<Thread<Command, Report> | undefined>;

/** A helper that runs `module`; nothing where none starts. */
export async function startLine(
  start: StartThread,
  module: WebAssembly.Module,
  shared: boolean,
): Promise<HelperLine | undefined> {
  const memory = shared ? sharedMemory(ROOM) : undefined;
  const thread = await start<Order, OrderResult>({ type: 'helper', module, memory });
  if (thread === undefined) return undefined;
  return memory === undefined ? new MessageLine(thread) : new SharedLine(thread, memory);
}

class SharedLine implements HelperLine {
  readonly #thread: Thread<Order, OrderResult>;
  readonly #orders: SharedOrders;

  constructor(thread: Thread<Order, OrderResult>, memory: SharedArrayBuffer) {
    this.#thread = thread;
    this.#orders = new SharedOrders(memory);
  }

  order(order: Order): void {
    this.#orders.order(order);
  }

  result(patience: number): OrderResult {
    return this.#orders.result(patience);
  }

  end(): void {
    this.#thread.terminate();
  }
}

/** @internal */
export class MessageLine implements HelperLine {
  readonly #thread: Thread<Order, OrderResult>;
  #isLost = false;
  #result: Promise<OrderResult> = Promise.resolve(undefined);
  #settle: (result: OrderResult) => void = () => undefined;
  /** When patience ends, while a result is waited for. */
  #end: number | undefined;
  #isWatched = false;

  constructor(thread: Thread<Order, OrderResult>) {
    this.#thread = thread;
    thread.onmessage = ({ data }) => this.#settle(data);
    thread.onerror = () => {
      this.#isLost = true;
      this.#settle(undefined);
    };
  }

  order(order: Order): void {
    this.#result = new Promise((resolve) => {
      this.#settle = resolve;
    });
    if (this.#isLost) {
      this.#settle(undefined);
      return;
    }
    this.#thread.keepAlive?.(true);
    const bytes = order.bytes.slice();
    this.#thread.postMessage({ ...order, bytes }, [bytes.buffer]);
  }

  async result(patience: number): Promise<OrderResult> {
    this.#end = performance.now() + patience;
    if (!this.#isWatched) this.#watch();
    const result = await this.#result;
    this.#end = undefined;
    this.#thread.keepAlive?.(false);
    return result;
  }

  /** Looks each second: a timer for each result would take longer than many results do. */
  #watch(): void {
    this.#isWatched = this.#end !== undefined;
    if (this.#end === undefined) return;
    if (performance.now() > this.#end) this.#settle(undefined);
    setTimeout(() => this.#watch(), 1000);
  }

  end(): void {
    this.#thread.terminate();
  }
}
