import { afterEach, describe, expect, test, vi } from 'vitest';
import { anySignal, randomId, wellFormed } from './compat.js';

const { any } = AbortSignal;

afterEach(() => {
  AbortSignal.any = any;
});

describe.each(['with', 'without'])('anySignal, %s AbortSignal.any', (which) => {
  const controllers = () => {
    if (which === 'without') Reflect.set(AbortSignal, 'any', undefined);
    return [new AbortController(), new AbortController()] as const;
  };

  test('is aborted by either, with its reason, and once', () => {
    const [first, second] = controllers();
    const signal = anySignal([first.signal, second.signal]);
    const heard = vi.fn();
    signal.addEventListener('abort', heard);
    expect(signal.aborted).toBe(false);
    second.abort('why');
    first.abort('later');
    expect([signal.aborted, signal.reason, heard.mock.calls.length]).toEqual([true, 'why', 1]);
  });

  test('is aborted from the start where one is', () => {
    const [first, second] = controllers();
    first.abort('before');
    expect(anySignal([second.signal, first.signal]).reason).toBe('before');
  });
});

test('ids are long, and never the same', () => {
  const ids = Array.from({ length: 100 }, randomId);
  expect(new Set(ids).size).toBe(100);
  for (const id of ids) expect(id).toMatch(/^[0-9a-f]{32}$/);
});

test.each(['', 'plain', '\ud83d\ude00', '\ud83d', '\ude00', 'a\ude00\ud83db', '\ud83d\ud83d\ude00'])(
  'wellFormed is toWellFormed for %j',
  (text) => expect(wellFormed(text)).toBe(text.toWellFormed()),
);
