import { expect, test } from 'vitest';
import type { AnswerEvent } from '../conversation.js';
import { AnswerItem } from './answer.js';
import { readable } from './tool-card.js';

/** An item to which this has happened. */
function itemOf(...events: AnswerEvent[]): AnswerItem {
  const item = new AnswerItem();
  for (const event of events) item.show(event);
  return item;
}

const texts = (item: AnswerItem, testId: string) =>
  [...item.element.querySelectorAll(`[data-testid=${testId}]`)].map(({ textContent }) => textContent);
const cardStates = (item: AnswerItem) =>
  [...item.element.querySelectorAll<HTMLElement>('.tool')].map(({ dataset }) => dataset.state);

const CALL = { kind: 'call', key: '1:a', name: 'get_time' } as const;
const GIVEN = { kind: 'arguments', key: '1:a', text: '{"city": "Tokyo"}' } as const;

test('thoughts, texts and calls stand in the order in which they came', () => {
  const item = itemOf(
    { kind: 'thought', text: 'The ' },
    { kind: 'thought', text: 'clock.' },
    { kind: 'text', text: 'Let me *see*.' },
    CALL,
    GIVEN,
    { kind: 'running' },
    { kind: 'result', key: '1:a', content: '{"time":"14:05"}', failed: false },
    { kind: 'text', text: 'It is 14:05.' },
  );
  const order = [...item.element.querySelectorAll('.parts > *')].map(({ className }) => className);
  expect(order).toEqual(['thought', 'answer', 'tool', 'answer']);
  expect(texts(item, 'thought-text')).toEqual(['The clock.']);
  expect(texts(item, 'answer')).toEqual(['Let me see.', 'It is 14:05.']);
  expect(texts(item, 'tool-name')).toEqual(['get_time']);
  expect(texts(item, 'tool-arguments')).toEqual(['city: Tokyo']);
  expect(texts(item, 'tool-result')).toEqual(['time: 14:05']);
  expect(item.text).toBe('Let me *see*.\n\nIt is 14:05.');
});

test('a card says how far its call has come', () => {
  const item = itemOf(CALL, { ...GIVEN, text: '{"city": "To' });
  expect(cardStates(item)).toEqual(['writing']);
  expect(texts(item, 'tool-arguments')).toEqual(['{"city": "To']);
  item.show({ ...GIVEN, text: 'kyo"}' });
  item.show({ kind: 'running' });
  expect(cardStates(item)).toEqual(['running']);
  item.show({ kind: 'result', key: '1:a', content: '{"error":"no such city"}', failed: true });
  expect(cardStates(item)).toEqual(['failed']);
  expect(texts(item, 'tool-result')).toEqual(['error: no such city']);
});

test('what was under way when the answer ended is settled', () => {
  const item = itemOf({ kind: 'thought', text: 'Hm' }, CALL, GIVEN);
  expect(item.element.getAttribute('aria-busy')).toBe('true');
  item.finish('stopped', () => undefined);
  expect(cardStates(item)).toEqual(['stopped']);
  expect(item.element.querySelector('.growing, .thinking, .streaming')).toBeNull();
  expect(item.element.hasAttribute('aria-busy')).toBe(false);
  // Nothing was said that could be copied.
  expect(item.element.querySelector('[data-testid=copy]')).toBeNull();
});

test('a thought is folded away, and says how long it took once it is over', () => {
  const item = itemOf({ kind: 'thought', text: 'Hm' });
  const thought = item.element.querySelector<HTMLDetailsElement>('details.thought');
  expect(thought?.open).toBe(false);
  expect(thought?.querySelector('summary')?.textContent).toBe('Thinking');
  item.show({ kind: 'text', text: 'So.' });
  expect(thought?.querySelector('summary')?.textContent).toBe('Thought for 1 s');
});

test('a withdrawn call leaves nothing but its text', () => {
  const item = itemOf(CALL, GIVEN, { kind: 'withdrawn', key: '1:a' }, { kind: 'text', text: '<tool_call>{' });
  expect(cardStates(item)).toEqual([]);
  expect(texts(item, 'answer')).toEqual(['<tool_call>{']);
});

test('what a tool takes and gives brings in no element', () => {
  const evil = '<img src=x onerror=alert(1)>';
  const item = itemOf(
    { ...CALL, name: evil },
    { ...GIVEN, text: `{"a": "${evil}"}` },
    { kind: 'result', key: '1:a', content: evil, failed: false },
    { kind: 'thought', text: evil },
  );
  expect(item.element.querySelector('img')).toBeNull();
});

test.each([
  ['{"city": "Tokyo", "days": 3, "now": null}', 'city: Tokyo, days: 3, now: null'],
  ['{"place": {"city": "Tokyo"}}', 'place: {"city":"Tokyo"}'],
  ['{}', ''],
  ['[1]', '[1]'],
  ['plain', 'plain'],
  ['{"half', '{"half'],
])('%j is shown as %j', (json, text) => {
  expect(readable(json)).toBe(text);
});
