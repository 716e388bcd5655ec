import { expect, test } from 'vitest';
import { isOneInstruction, multipliesBytes } from './byte-products.js';

test.each([
  ['vpdpbusd', 129_540, -65_536, true],
  ['sdot and vpdpbssd', -508, 65_536, true],
  // Sums of two are cut off at 16 bits, or wrap there.
  ['vpmaddubsw', 65_534, -65_536, false],
  ['signed products whose sums have 16 bits', -508, -65_536, false],
  ['signed products whose sums of two are cut off', -508, 65_534, false],
  ['an engine without relaxed vectors', undefined, undefined, false],
])('%s', (_, first, second, expected) => {
  expect(isOneInstruction(first, second)).toBe(expected);
});

test('an engine without relaxed vectors, or without WebAssembly, is asked without harm', () => {
  expect(multipliesBytes()).toBeTypeOf('boolean');
  const { WebAssembly: own } = globalThis;
  try {
    Reflect.deleteProperty(globalThis, 'WebAssembly');
    expect(multipliesBytes()).toBe(false);
  } finally {
    globalThis.WebAssembly = own;
  }
});
