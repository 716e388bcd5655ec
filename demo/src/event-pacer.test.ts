import { expect, test } from 'vitest';
import type { AnswerEvent } from './conversation.js';
import { EventPacer } from './event-pacer.js';

test('texts wait for their time, and what comes after them never overtakes', async () => {
  const callbacks: (() => void)[] = [];
  let time = 0;
  const clock = { now: () => time, soon: (callback: () => void) => callbacks.push(callback) };
  const shown: AnswerEvent[] = [];
  const pacer = new EventPacer((event) => shown.push(event), clock);

  for (const text of ['a', 'b', 'c']) pacer.push({ kind: 'thought', text });
  expect(shown).toEqual([{ kind: 'thought', text: 'a' }]);
  pacer.push({ kind: 'text', text: 'd' });
  pacer.push({ kind: 'text', text: 'e' });
  pacer.push({ kind: 'call', key: '1:x', name: 'clock' });
  pacer.push({ kind: 'running' });
  pacer.push({ kind: 'text', text: 'f' });
  time = 1000;
  for (const callback of callbacks.splice(0)) callback();
  await pacer.finish();

  const joined = shown.map((event) => ('text' in event ? `${event.kind} ${event.text}` : event.kind));
  expect(joined.join(', ')).toMatch(/^thought a, thought bc, (text d, text e|text de), call, running, text f$/);
});
