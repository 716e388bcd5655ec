/**
 * Orders and their results in memory that two threads share. There is one place: an order in it makes way for its result. Who waits looks
 * again and again for a while, since what it waits for is mostly there within microseconds, before it sleeps.
 */

import { ORDER_KINDS, type Order, type OrderResult } from './helper-line.js';

/** The words in front, of 32 bits: whose turn it is (odd: the helper's), an order's kind, weights and offset, and the bytes of either. */
const TURN = 0;
const ORDER = 1;
/** -1 for an order that failed. */
const BYTES = 4;
const HEAD_BYTES = 64;

/** Looks before sleeping: a fraction of a millisecond. */
const LOOKS = 100_000;

/** Memory for orders and results of so many bytes at most. */
export function sharedMemory(bytes: number): SharedArrayBuffer {
  return new SharedArrayBuffer(HEAD_BYTES + bytes);
}

/** One end of it: the host's uses `order` and `result` in turn, the helper's `next` and `answer`. */
export class SharedOrders {
  readonly #head: Int32Array<SharedArrayBuffer>;
  readonly #bytes: Uint8Array<SharedArrayBuffer>;

  constructor(memory: SharedArrayBuffer) {
    this.#head = new Int32Array(memory, 0, HEAD_BYTES / 4);
    this.#bytes = new Uint8Array(memory, HEAD_BYTES);
  }

  order({ kind, weights, offset, bytes }: Order): void {
    this.#head.set([ORDER_KINDS.indexOf(kind), weights, offset, bytes.length], ORDER);
    this.#bytes.set(bytes);
    this.#pass();
  }

  /** What came of the order; `undefined` where it failed, or nothing came within so many milliseconds. */
  result(patience: number): OrderResult {
    if (!this.#await(0, patience)) return undefined;
    const length = this.#head[BYTES] as number;
    return length < 0 ? undefined : this.#bytes.subarray(0, length);
  }

  next(): Order {
    this.#await(1, Number.POSITIVE_INFINITY);
    const [kind = 0, weights = 0, offset = 0, length = 0] = this.#head.subarray(ORDER);
    return { kind: ORDER_KINDS[kind] ?? 'forget', weights, offset, bytes: this.#bytes.subarray(0, length) };
  }

  answer(result: OrderResult): void {
    this.#head[BYTES] = result?.length ?? -1;
    if (result !== undefined) this.#bytes.set(result);
    this.#pass();
  }

  /** It is the other's turn now. */
  #pass(): void {
    Atomics.add(this.#head, TURN, 1);
    Atomics.notify(this.#head, TURN);
  }

  /** Until the turn has this parity; false where that takes longer than so many milliseconds. */
  #await(parity: number, patience: number): boolean {
    for (let look = 0; look < LOOKS; look++) {
      if ((Atomics.load(this.#head, TURN) & 1) === parity) return true;
    }
    const end = performance.now() + patience;
    for (;;) {
      const turn = Atomics.load(this.#head, TURN);
      if ((turn & 1) === parity) return true;
      const left = end - performance.now();
      if (left <= 0) return false;
      Atomics.wait(this.#head, TURN, turn, left);
    }
  }
}
