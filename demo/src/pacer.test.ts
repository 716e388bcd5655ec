import { expect, test } from 'vitest';
import { type Clock, Pacer } from './pacer.js';

/** A clock that stands still until told, with frames of 16 ms. */
class ManualClock implements Clock {
  time = 1000;
  #callbacks: (() => void)[] = [];

  now = () => this.time;
  soon = (callback: () => void) => {
    this.#callbacks.push(callback);
  };

  /** Let so many milliseconds pass. */
  pass(milliseconds: number): void {
    const end = this.time + milliseconds;
    while (this.time < end) {
      this.time = Math.min(end, this.time + 16);
      for (const callback of this.#callbacks.splice(0)) callback();
    }
  }
}

function setUp() {
  const clock = new ManualClock();
  const shown: { at: number; text: string }[] = [];
  const pacer = new Pacer((text) => shown.push({ at: clock.time - 1000, text }), clock);
  const group = (...texts: string[]) => {
    for (const text of texts) pacer.push(text);
  };
  return { clock, shown, pacer, group, text: () => shown.map(({ text }) => text).join('') };
}

test('the first piece is shown at once', () => {
  const { shown, group } = setUp();
  group('a', 'b');
  expect(shown).toEqual([{ at: 0, text: 'a' }]);
});

test('groups of four come out one by one, evenly', () => {
  const { clock, shown, group } = setUp();
  for (let n = 0; n < 12; n += 1) {
    group('a', 'b', 'c', 'd');
    clock.pass(240);
  }
  expect(shown.map(({ text }) => text).join('')).toBe('abcd'.repeat(12));
  // Once the rhythm is known: one piece at a time, a quarter of the interval apart, give or take a frame.
  const late = shown.slice(24);
  const gaps = late.slice(1).map(({ at }, index) => at - (late[index]?.at ?? 0));
  expect(late.every(({ text }) => text.length === 1)).toBe(true);
  expect(Math.min(...gaps)).toBeGreaterThanOrEqual(32);
  expect(Math.max(...gaps)).toBeLessThanOrEqual(80);
});

test('a fast engine is never held up: what waits is shown before the next group is due', () => {
  const { clock, text, group } = setUp();
  for (let n = 1; n <= 40; n += 1) {
    group('a', 'b', 'c', 'd');
    clock.pass(16);
  }
  expect(text().length).toBeGreaterThanOrEqual(40 * 4 - 8);
});

test('a stall delays nothing by more than the longest wait', () => {
  const { clock, text, group } = setUp();
  group('a');
  clock.pass(10_000);
  group('b', 'c', 'd', 'e');
  clock.pass(400 + 16);
  expect(text()).toBe('abcde');
});

test('the end comes at most a blink after the last piece', async () => {
  const { clock, text, group, pacer } = setUp();
  group('a', 'b', 'c', 'd');
  let finished = false;
  const finishing = pacer.finish().then(() => {
    finished = true;
  });
  clock.pass(80);
  await finishing;
  expect(finished).toBe(true);
  expect(text()).toBe('abcd');
});

test('finishing when nothing waits is immediate', async () => {
  const { pacer, group, clock } = setUp();
  await pacer.finish();
  group('a');
  clock.pass(16);
  await pacer.finish();
});

test('a flush shows everything now', () => {
  const { group, pacer, text } = setUp();
  group('a', 'b', 'c', 'd');
  pacer.flush();
  expect(text()).toBe('abcd');
});
