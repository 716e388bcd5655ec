import { expect, test } from 'vitest';
import { cpuExports } from '../test/fake-cpu.js';
import { ModuleOf } from './cpu-module.js';
import { InternalError } from './errors.js';

test('bytes are written, copied and read where they belong', () => {
  const module = new ModuleOf(cpuExports());
  const [a, b] = [module.buffer(8), module.buffer(8)];
  module.write(a, 4, Uint8Array.of(1, 2, 3, 4));
  module.copy(Float64Array.of(a, 4, b, 0, 4, a, 6, b, 6, 2));
  expect([...module.read(b, 0, 8)]).toEqual([1, 2, 3, 4, 0, 0, 3, 4]);
  expect([module.instructions(), module.plan('[]'), module.choices()]).toEqual(['none', 7, '[]']);
});

test('memory beyond the address space is refused without asking', () => {
  const asked: number[] = [];
  const module = new ModuleOf(cpuExports({ buffer: (bytes) => asked.push(bytes) - 1 }));
  expect([module.buffer(2 ** 32), module.buffer(2 ** 40), module.buffer(2 ** 32 - 4)]).toEqual([-1, -1, 0]);
  expect(asked).toEqual([2 ** 32 - 4]);
});

test('a trap is told by the next read and by all that follows, and nothing is run any more', () => {
  const trap = new WebAssembly.RuntimeError('unreachable');
  const runs: number[] = [];
  const start = (plan: number) => {
    runs.push(plan);
    if (plan === 2) throw trap;
  };
  const module = new ModuleOf(cpuExports({ start }));
  const buffer = module.buffer(8);
  module.run(Uint32Array.of(1, 2, 3));
  module.run(Uint32Array.of(4));
  expect(runs).toEqual([1, 2]);
  for (const ask of [() => module.read(buffer, 0, 4), () => module.idle(), () => module.plan('[]')]) {
    expect(ask).toThrow(trap);
  }
  expect(module.buffer(4)).toBe(-1);
});

test('steps of another build are refused with what the module says of them', () => {
  const module = new ModuleOf(cpuExports({ plan: () => -1, text_bytes: () => 0 }));
  expect(() => module.plan('[]')).toThrow(InternalError);
});
