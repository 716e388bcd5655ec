/**
 * The module that computes on the CPU with helpers, each a module of its own in a worker: matmuls are shared, row by row of their weights,
 * and all else is this one's. Products have the same bits wherever they are computed; so where a helper is lost, its share is computed
 * here from then on, and no answer changes.
 */

import type { ModuleOf } from './cpu-module.js';
import { type HelperLine, type Order, ROOM } from './helper-line.js';
import type { CpuModule } from './wasm.js';

/** Multiplications below which it does not pay to share a matmul: what passes meanwhile, through shared memory and by messages. */
export const LEAST_BY_MEMORY = 2 ** 19;
export const LEAST_BY_MESSAGES = 2 ** 23;

/** Milliseconds that a helper may take at least, and how many times as long as this module takes for its share. */
const PATIENCE = 3000;
const TIMES_AS_LONG = 20;

/** A module, and helpers in the order of their numbers, from 1. */
export class CpuTeam implements CpuModule {
  readonly #module: ModuleOf;
  /** Nothing for one that was lost. */
  readonly #lines: (HelperLine | undefined)[];
  /** Called with how many threads are left. */
  onLost: (threads: number) => void = () => undefined;
  /** What was asked for and is not done yet, the last of it. */
  #last: Promise<void> | undefined;
  /** Weights that the helpers have. */
  readonly #learned = new Set<number>();
  /** By buffer, the weights that helpers have of it, or had. */
  readonly #copied = new Map<number, Set<number>>();

  constructor(module: ModuleOf, lines: readonly HelperLine[], least: number) {
    this.#module = module;
    this.#lines = [...lines];
    module.exports.share(lines.length + 1, least, ROOM);
  }

  instructions(): string {
    return this.#module.instructions();
  }

  buffer(bytes: number): number {
    return this.#module.buffer(bytes);
  }

  releaseBuffer(buffer: number): void {
    this.#then(() => this.#changing([buffer], () => this.#module.releaseBuffer(buffer)));
  }

  write(buffer: number, offset: number, bytes: Uint8Array): void {
    // Whoever waits keeps a copy: the bytes are the caller's memory.
    const kept = this.#last === undefined ? bytes : bytes.slice();
    this.#then(() => this.#changing([buffer], () => this.#module.write(buffer, offset, kept)));
  }

  copy(list: Float64Array): void {
    const kept = this.#last === undefined ? list : list.slice();
    const targets = [...kept.filter((_, index) => index % 5 === 2)];
    this.#then(() => this.#changing(targets, () => this.#module.copy(kept)));
  }

  plan(steps: string): number {
    return this.#module.plan(steps);
  }

  choices(): string {
    return this.#module.choices();
  }

  releasePlan(plan: number): void {
    this.#then(() => this.#module.releasePlan(plan));
  }

  run(plans: Uint32Array): void {
    const kept = plans.slice();
    this.#then(() => this.#run(kept));
  }

  read(buffer: number, offset: number, bytes: number): Uint8Array | Promise<Uint8Array> {
    const read = () => this.#module.read(buffer, offset, bytes);
    return this.#last === undefined ? read() : this.#last.then(read);
  }

  idle(): void | Promise<void> {
    const idle = () => this.#module.idle();
    return this.#last === undefined ? idle() : this.#last.then(idle);
  }

  /** Ends the helpers, and their memory with them. */
  end(): void {
    for (const line of this.#lines.splice(0)) line?.end();
  }

  /** Does this once all before it is done: at once, if nothing is under way. It throws nothing. */
  #then(what: () => void | Promise<void>): void {
    const doing = this.#last === undefined ? what() : this.#last.then(what);
    if (doing === undefined) return;
    const last = doing.then(() => {
      if (this.#last === last) this.#last = undefined;
    });
    this.#last = last;
  }

  async #run(plans: Uint32Array): Promise<void> {
    for (const plan of plans) {
      for (let due = this.#module.start(plan); due; due = this.#module.goOn()) {
        const weights = this.#module.exports.due_weights();
        if (!this.#learned.has(weights)) await this.#teach(weights);
        await this.#share(weights);
      }
    }
  }

  /** Matmuls that are due. */
  async #share(weights: number): Promise<void> {
    const { exports } = this.#module;
    const bytes = this.#module.bytesAt(exports.due_x(), exports.due_values() * 4);
    for (const line of this.#lines) line?.order({ kind: 'multiply', weights, offset: 0, bytes });
    const begun = performance.now();
    this.#compute(0);
    for (const [index, line] of this.#lines.entries()) if (line === undefined) this.#compute(index + 1);
    const patience = PATIENCE + TIMES_AS_LONG * (performance.now() - begun);
    for (const [index, line] of this.#lines.entries()) {
      if (line === undefined) continue;
      const products = await line.result(patience);
      if (products !== undefined && this.#take(index + 1, products)) continue;
      this.#lose(index);
      this.#compute(index + 1);
    }
  }

  #compute(module: number): void {
    this.#module.attempt(() => this.#module.exports.compute(module));
  }

  #take(module: number, products: Uint8Array): boolean {
    const taken = this.#module.attempt(() => {
      this.#module.bytesAt(this.#module.exports.answer(products.length / 4), products.length).set(products);
      return this.#module.exports.take(module);
    });
    return taken === 1;
  }

  /** Gives each helper its rows of weights. */
  async #teach(weights: number): Promise<void> {
    for (const [index, line] of this.#lines.entries()) {
      if (line === undefined) continue;
      const { exports } = this.#module;
      this.#module.attempt(() => exports.share_of(weights, index + 1));
      const text = this.#module.text();
      const orders = this.#lessons(weights, text);
      for (const order of orders) {
        line.order(order());
        if ((await line.result(PATIENCE)) !== undefined) continue;
        this.#lose(index);
        break;
      }
    }
    this.#learned.add(weights);
  }

  /** The orders by which a helper learns what `text` describes, each to be made when it is sent: memory may grow in between. */
  #lessons(weights: number, text: string): (() => Order)[] {
    const [, , matmuls] = JSON.parse(text) as ShareOfWeights;
    const lessons: (() => Order)[] = [
      () => ({ kind: 'learn', weights, offset: 0, bytes: new TextEncoder().encode(text) }),
    ];
    let before = 0;
    for (const [buffer, first, size] of matmuls.flatMap(({ planes }) => planes)) {
      this.#copied.set(buffer, (this.#copied.get(buffer) ?? new Set()).add(weights));
      for (let from = 0; from < size; from += ROOM) {
        const [offset, bytes] = [before + from, Math.min(ROOM, size - from)];
        lessons.push(() => {
          return { kind: 'planes', weights, offset, bytes: this.#module.bytesOf(buffer, first + from, bytes) };
        });
      }
      before += size;
    }
    return lessons;
  }

  /** Does something to buffers; what helpers have of them, they forget. */
  #changing(buffers: readonly number[], what: () => void): void | Promise<void> {
    what();
    const stale = buffers.flatMap((buffer) => [...(this.#copied.get(buffer) ?? [])]);
    if (stale.length > 0) return this.#forget(stale);
  }

  async #forget(stale: readonly number[]): Promise<void> {
    for (const weights of stale) {
      if (!this.#learned.delete(weights)) continue;
      for (const [index, line] of this.#lines.entries()) {
        line?.order({ kind: 'forget', weights, offset: 0, bytes: new Uint8Array(0) });
        if (line !== undefined && (await line.result(PATIENCE)) === undefined) this.#lose(index);
      }
    }
  }

  #lose(index: number): void {
    this.#lines[index]?.end();
    this.#lines[index] = undefined;
    const left = this.#lines.filter((line) => line !== undefined).length;
    // Nothing is shared any more.
    if (left === 0) this.#module.exports.share(1, Number.MAX_VALUE, ROOM);
    this.onLost(left + 1);
  }
}

/** What `share_of` says: instructions, whether activations stay f32, and of each matmul where its planes are. */
type ShareOfWeights = [string, boolean, { readonly planes: [buffer: number, offset: number, bytes: number][] }[]];
