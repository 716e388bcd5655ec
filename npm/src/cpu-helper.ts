/** A helper: a module of the CPU in a worker of its own, which multiplies its rows of weights by what the engine's module hands it. */

import { type CpuExports, instantiateCpu } from './cpu-module.js';
import type { Order, OrderResult } from './helper-line.js';
import { SharedOrders } from './shared-orders.js';

/** A helper that runs this module. */
export async function startHelper(module: WebAssembly.Module): Promise<Helper> {
  return new Helper(await instantiateCpu(module));
}

/** The module and the addresses of what it has learned. */
export class Helper {
  readonly #exports: CpuExports;
  /** Where the planes are, by the number of their weights. */
  readonly #planes = new Map<number, number>();

  constructor(exports: CpuExports) {
    this.#exports = exports;
  }

  /** Does what it is told. What it gives is in its memory, until the next order. */
  take({ kind, weights, offset, bytes }: Order): OrderResult {
    try {
      return this[kind](weights, bytes, offset);
    } catch {
      return undefined;
    }
  }

  learn(weights: number, text: Uint8Array): OrderResult {
    this.#at(this.#exports.text(text.length), text.length).set(text);
    const planes = this.#exports.learn(weights);
    if (planes === 0) return undefined;
    this.#planes.set(weights, planes);
    return NOTHING;
  }

  planes(weights: number, bytes: Uint8Array, offset: number): OrderResult {
    const planes = this.#planes.get(weights);
    if (planes === undefined) return undefined;
    this.#at(planes + offset, bytes.length).set(bytes);
    return NOTHING;
  }

  forget(weights: number): OrderResult {
    this.#planes.delete(weights);
    this.#exports.forget(weights);
    return NOTHING;
  }

  multiply(weights: number, x: Uint8Array): OrderResult {
    this.#at(this.#exports.x(x.length / 4), x.length).set(x);
    const count = this.#exports.multiply(weights);
    return this.#at(this.#exports.products(), count * 4);
  }

  #at(address: number, bytes: number): Uint8Array {
    return new Uint8Array(this.#exports.memory.buffer, address >>> 0, bytes);
  }
}

const NOTHING = new Uint8Array(0);

/**
 * Takes one order after the other from memory that is shared; only for a worker, which does nothing else from then on.
 *
 * @param helper nothing where it did not start: then all orders fail
 */
export function helpByMemory(memory: SharedArrayBuffer, helper: Helper | undefined): void {
  const orders = new SharedOrders(memory);
  for (;;) takeNext(orders, helper);
}

/** Waits for an order, and answers it. @internal */
export function takeNext(orders: SharedOrders, helper: Helper | undefined): void {
  const order = orders.next();
  orders.answer(helper?.take(order));
}

/** Takes an order that came as a message. */
export function helpByMessage(
  order: Order,
  helper: Helper | undefined,
  say: (result: OrderResult, transfer: Transferable[]) => void,
): void {
  const result = helper?.take(order)?.slice();
  say(result, result === undefined ? [] : [result.buffer]);
}
