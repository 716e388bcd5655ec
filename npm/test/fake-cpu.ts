/** Stand-ins for the module that computes on the CPU. */

import type { CpuExports } from '../src/cpu-module.js';

/** Exports that keep buffers one behind the other from 64 on, and do as `overrides` says. */
export function cpuExports(overrides: Partial<CpuExports> = {}): CpuExports {
  const memory = new WebAssembly.Memory({ initial: 1 });
  let [end, textBytes] = [64, 0];
  const addresses: number[] = [];
  const say = (text: string) => {
    textBytes = new TextEncoder().encodeInto(text, new Uint8Array(memory.buffer, 32768)).written;
  };
  return {
    memory,
    text: () => 32768,
    text_address: () => 32768,
    text_bytes: () => textBytes,
    instructions: () => say('none'),
    buffer: (bytes) => {
      addresses.push(end);
      end += bytes;
      return addresses.length - 1;
    },
    address: (buffer) => addresses[buffer] as number,
    release_buffer: () => undefined,
    copy: (from, fromOffset, to, toOffset, bytes) => {
      const bytesOf = new Uint8Array(memory.buffer);
      const start = (addresses[from] as number) + fromOffset;
      bytesOf.copyWithin((addresses[to] as number) + toOffset, start, start + bytes);
    },
    plan: () => {
      say('[]');
      return 7;
    },
    release_plan: () => undefined,
    start: () => undefined,
    go_on: () => 0,
    share: () => undefined,
    share_of: () => 0,
    due_weights: () => 0,
    due_x: () => 0,
    due_values: () => 0,
    compute: () => undefined,
    answer: () => 0,
    take: () => 0,
    learn: () => 0,
    forget: () => undefined,
    x: () => 0,
    multiply: () => 0,
    products: () => 0,
    ...overrides,
  };
}
