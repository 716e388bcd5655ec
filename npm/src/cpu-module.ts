/** The WebAssembly module that computes on the CPU, as the engine's module uses it. */

import { InternalError } from './errors.js';
import type { CpuModule } from './wasm.js';

/** What the module exports: numbers alone go in and out. */
export interface CpuExports {
  readonly memory: WebAssembly.Memory;
  /** Makes room for a text of so many bytes; its address. */
  text(bytes: number): number;
  text_address(): number;
  text_bytes(): number;
  instructions(): void;
  buffer(bytes: number): number;
  address(buffer: number): number;
  release_buffer(buffer: number): void;
  copy(from: number, fromOffset: number, to: number, toOffset: number, bytes: number): void;
  plan(): number;
  release_plan(plan: number): void;
  start(plan: number): void;
  /** Whether matmuls are due that are shared; else the plan is at its end. */
  go_on(): number;

  /** Matmuls of more multiplications than `least` are shared by so many modules; what they send is at most `room` bytes. */
  share(modules: number, least: number, room: number): void;
  /** What a module has to learn of weights is the text then; its bytes. */
  share_of(weights: number, module: number): number;
  due_weights(): number;
  due_x(): number;
  due_values(): number;
  compute(module: number): void;
  /** Makes room for products; its address. */
  answer(values: number): number;
  /** Takes them as the share of a module; 0 where they are not. */
  take(module: number): number;

  /** The text says what these weights are; where their planes belong, or 0. */
  learn(weights: number): number;
  forget(weights: number): void;
  /** Makes room for x; its address. */
  x(values: number): number;
  /** How many products there are. */
  multiply(weights: number): number;
  products(): number;
}

/** WebAssembly's memory ends there. */
const MOST_BYTES = 2 ** 32;

/**
 * The module's exports, with memory of their own.
 *
 * @throws RangeError where there is no memory
 */
export async function instantiateCpu(module: WebAssembly.Module): Promise<CpuExports> {
  const { exports } = await WebAssembly.instantiate(module, {});
  return exports as unknown as CpuExports;
}

/** A module with these exports. @internal */
export class ModuleOf implements CpuModule {
  readonly exports: CpuExports;
  #choices = '[]';
  /** What it failed by: from then on its memory is not to be relied on. */
  #failure: Error | undefined;

  constructor(exports: CpuExports) {
    this.exports = exports;
  }

  instructions(): string {
    this.exports.instructions();
    return this.text();
  }

  buffer(bytes: number): number {
    if (bytes >= MOST_BYTES) return -1;
    return this.attempt(() => this.exports.buffer(bytes)) ?? -1;
  }

  releaseBuffer(buffer: number): void {
    this.attempt(() => this.exports.release_buffer(buffer));
  }

  write(buffer: number, offset: number, bytes: Uint8Array): void {
    this.attempt(() => this.bytesOf(buffer, offset, bytes.length).set(bytes));
  }

  copy(list: Float64Array): void {
    for (let at = 0; at < list.length; at += 5) {
      const [from, fromOffset, to, toOffset, bytes] = list.subarray(at, at + 5) as unknown as Copy;
      this.attempt(() => this.exports.copy(from, fromOffset, to, toOffset, bytes));
    }
  }

  plan(steps: string): number {
    const bytes = new TextEncoder().encode(steps);
    const number = this.attempt(() => {
      this.bytesAt(this.exports.text(bytes.length), bytes.length).set(bytes);
      return this.exports.plan();
    });
    this.#check();
    this.#choices = this.text();
    if (number === undefined || number < 0) throw new InternalError(this.#choices);
    return number;
  }

  choices(): string {
    return this.#choices;
  }

  releasePlan(plan: number): void {
    this.attempt(() => this.exports.release_plan(plan));
  }

  run(plans: Uint32Array): void {
    for (const plan of plans) this.start(plan);
  }

  /** Runs a plan to its end, or until shared matmuls are due, which is true then. */
  start(plan: number): boolean {
    return this.goOn(() => this.exports.start(plan));
  }

  /** Does as much more of it. */
  goOn(first: () => void = () => undefined): boolean {
    const due = this.attempt(() => {
      first();
      return this.exports.go_on();
    });
    return due === 1;
  }

  read(buffer: number, offset: number, bytes: number): Uint8Array {
    const copy = this.attempt(() => this.bytesOf(buffer, offset, bytes).slice());
    this.#check();
    return copy as Uint8Array;
  }

  idle(): void {
    this.#check();
  }

  /**
   * Does nothing after a failure, which the next `read` or `idle` throws. A trap must not cross the engine's module, which would be left in
   * the middle of what it does.
   */
  attempt<T>(what: () => T): T | undefined {
    if (this.#failure !== undefined) return undefined;
    try {
      return what();
    } catch (error) {
      this.#failure = error instanceof Error ? error : new Error(String(error));
      return undefined;
    }
  }

  #check(): void {
    if (this.#failure !== undefined) throw this.#failure;
  }

  /** Some of a buffer's bytes, until memory grows. */
  bytesOf(buffer: number, offset: number, bytes: number): Uint8Array {
    return this.bytesAt((this.exports.address(buffer) >>> 0) + offset, bytes);
  }

  /** Bytes of its memory, until that grows. */
  bytesAt(address: number, bytes: number): Uint8Array {
    return new Uint8Array(this.exports.memory.buffer, address >>> 0, bytes);
  }

  /** What it said last. */
  text(): string {
    return new TextDecoder().decode(this.bytesAt(this.exports.text_address(), this.exports.text_bytes()));
  }
}

type Copy = [from: number, fromOffset: number, to: number, toOffset: number, bytes: number];
