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
  run(plan: number): void;
}

/** WebAssembly's memory ends there. */
const MOST_BYTES = 2 ** 32;

/**
 * The module, ready for use, with memory of its own.
 *
 * @throws RangeError where there is no memory
 */
export async function startCpuModule(module: WebAssembly.Module): Promise<CpuModule> {
  const { exports } = await WebAssembly.instantiate(module, {});
  return new ModuleOf(exports as unknown as CpuExports);
}

/** A module with these exports. @internal */
export class ModuleOf implements CpuModule {
  readonly #exports: CpuExports;
  #choices = '[]';
  /** What it failed by: from then on its memory is not to be relied on. */
  #failure: Error | undefined;

  constructor(exports: CpuExports) {
    this.#exports = exports;
  }

  instructions(): string {
    this.#exports.instructions();
    return this.#text();
  }

  buffer(bytes: number): number {
    if (bytes >= MOST_BYTES) return -1;
    return this.#attempt(() => this.#exports.buffer(bytes)) ?? -1;
  }

  releaseBuffer(buffer: number): void {
    this.#attempt(() => this.#exports.release_buffer(buffer));
  }

  write(buffer: number, offset: number, bytes: Uint8Array): void {
    this.#attempt(() => this.#bytes(buffer, offset, bytes.length).set(bytes));
  }

  copy(list: Float64Array): void {
    for (let at = 0; at < list.length; at += 5) {
      const [from, fromOffset, to, toOffset, bytes] = list.subarray(at, at + 5) as unknown as Copy;
      this.#attempt(() => this.#exports.copy(from, fromOffset, to, toOffset, bytes));
    }
  }

  plan(steps: string): number {
    const bytes = new TextEncoder().encode(steps);
    const number = this.#attempt(() => {
      const address = this.#exports.text(bytes.length) >>> 0;
      new Uint8Array(this.#exports.memory.buffer, address, bytes.length).set(bytes);
      return this.#exports.plan();
    });
    this.#check();
    this.#choices = this.#text();
    if (number === undefined || number < 0) throw new InternalError(this.#choices);
    return number;
  }

  choices(): string {
    return this.#choices;
  }

  releasePlan(plan: number): void {
    this.#attempt(() => this.#exports.release_plan(plan));
  }

  run(plans: Uint32Array): void {
    for (const plan of plans) this.#attempt(() => this.#exports.run(plan));
  }

  read(buffer: number, offset: number, bytes: number): Uint8Array {
    const copy = this.#attempt(() => this.#bytes(buffer, offset, bytes).slice());
    this.#check();
    return copy as Uint8Array;
  }

  idle(): void {
    this.#check();
  }

  /** Does nothing after a failure. A trap must not cross the engine's module, which would be left in the middle of what it does. */
  #attempt<T>(what: () => T): T | undefined {
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

  #bytes(buffer: number, offset: number, bytes: number): Uint8Array {
    const address = this.#exports.address(buffer) >>> 0;
    return new Uint8Array(this.#exports.memory.buffer, address + offset, bytes);
  }

  #text(): string {
    const { memory, text_address, text_bytes } = this.#exports;
    return new TextDecoder().decode(new Uint8Array(memory.buffer, text_address() >>> 0, text_bytes()));
  }
}

type Copy = [from: number, fromOffset: number, to: number, toOffset: number, bytes: number];
