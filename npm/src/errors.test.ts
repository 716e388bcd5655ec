import { expect, test } from 'vitest';
import * as errors from './errors.js';

const CLASSES = Object.values(errors).filter(
  (value) => typeof value === 'function' && value.prototype instanceof errors.InglenookError,
) as (new (
  message: string,
) => errors.InglenookError)[];

test('every class survives the way through the worker boundary', () => {
  expect(CLASSES).toHaveLength(15);
  for (const Class of CLASSES) {
    const error = new Class('Do this.');
    const back = errors.fromWire(structuredClone(errors.toWire(error)));
    expect(back).toBeInstanceOf(Class);
    expect({ name: back.name, code: back.code, message: back.message }).toEqual({
      name: error.name,
      code: error.code,
      message: 'Do this.',
    });
  }
});

test("the module's errors are told apart by their name", () => {
  const thrown = Object.assign(new Error('The GPU was lost. Reload.'), { name: 'Lost' });
  const error = errors.toInglenookError(thrown);
  expect(error).toBeInstanceOf(errors.DeviceLostError);
  expect(error.message).toBe('The GPU was lost. Reload.');
  expect(error.cause).toBe(thrown);
});

test("a busy engine's error says when to retry, on both sides of the worker boundary", () => {
  const thrown = Object.assign(new Error('Try again later.'), { name: 'Busy', retryAfterMs: 250 });
  const error = errors.fromWire(structuredClone(errors.toWire(thrown)));
  expect(error).toBeInstanceOf(errors.BusyError);
  expect(error).toMatchObject({ message: 'Try again later.', retryAfterMs: 250 });
});

test('an abort of the platform is an abort', () => {
  expect(errors.toInglenookError(new DOMException('x', 'AbortError'))).toBeInstanceOf(errors.AbortedError);
});

test.each([new RangeError('unreachable'), 'text', undefined, { name: 'toString', message: 'm' }])(
  'what nobody foresaw is internal and keeps its words: %s',
  (thrown) => {
    const error = errors.toInglenookError(thrown);
    expect(error.code).toBe('Internal');
    expect(error.message).toContain(
      thrown instanceof Error ? 'unreachable' : ((thrown as { message?: string })?.message ?? String(thrown)),
    );
  },
);
