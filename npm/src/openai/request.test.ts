import { readdirSync, readFileSync } from 'node:fs';
import { expect, test } from 'vitest';
import { fieldTable, samplingOptions } from '../../scripts/field-table.js';
import { BadRequestError, UnsupportedError } from '../errors.js';
import { toRequestJson } from './request.js';
import type { ChatCompletionRequest } from './types.js';

const HELLO = [{ role: 'user', content: 'Hello' }] as const;

/** What the engine gets of a request, which need not be one that the types allow. */
const sent = (request: unknown): unknown => JSON.parse(toRequestJson(request as ChatCompletionRequest));

test('the signal and the filter stay on this side, and all else is the engine’s to check', () => {
  const request = {
    messages: HELLO,
    model: 'gpt',
    stream: true,
    max_tokens: -1,
    temperatur: 0,
    stop: '\n',
    seed: null,
  };
  const { signal } = new AbortController();
  expect(sent({ ...request, signal, content_filter: null })).toEqual(request);
});

/** What clients send, with what the engine makes of it. */
const RECORDED = new URL('../../../tests/clients/', import.meta.url);
const recorded = ['openai', 'langchain', 'ai-sdk'].flatMap((client) =>
  readdirSync(new URL(`${client}/`, RECORDED)).map((name) => `${client}/${name}`),
);

test.each(recorded)('what a client sends reaches the engine as it is: %s', (name) => {
  const { body } = JSON.parse(readFileSync(new URL(name, RECORDED), 'utf8'));
  expect(sent(body)).toEqual(body);
});

test('the types have every field that the engine reads', () => {
  const types = ['types.ts', 'sampling.ts', 'tools.ts'].map((name) =>
    readFileSync(new URL(`./${name}`, import.meta.url), 'utf8'),
  );
  const read = Object.entries(fieldTable()[''] ?? {}).filter(([, rule]) => rule === 'read' || Object(rule).whole);
  const missing = read.filter(
    ([name]) => !types.some((text) => new RegExp(`^  readonly ${name}\\??:`, 'm').test(text)),
  );
  // Plain text is continued by other programs: here there are conversations alone.
  expect(missing.map(([name]) => name)).toEqual(['prompt']);
});

test('the options of sampling are those of the engine', () => {
  const source = readFileSync(new URL('./sampling.ts', import.meta.url), 'utf8');
  for (const { name, help } of samplingOptions()) {
    expect(source).toContain(`  readonly ${name}?: `);
    expect(source).toContain(help);
  }
});

test('a filter gets whole sentences, or what it asks for', () => {
  const content_filter = () => true;
  expect(sent({ messages: HELLO, content_filter })).toEqual({ messages: HELLO, segment: 'sentence' });
  expect(sent({ messages: HELLO, content_filter, segment: 'word' })).toEqual({ messages: HELLO, segment: 'word' });
});

test('expressions come in the notation of the engine', () => {
  const content_rules = [{ match: 'secret' }, { match: /k[e3]y \d/i, action: 'mask', mask: '***' }];
  const response_format = { type: 'regex', regex: /\d+/ };
  expect(sent({ messages: HELLO, content_rules, response_format })).toEqual({
    messages: HELLO,
    content_rules: [{ match: 'secret' }, { match: { regex: '(?i)k[e3]y [0-9]' }, action: 'mask', mask: '***' }],
    response_format: { type: 'regex', regex: '[0-9]+' },
  });
});

test("an answer's message can be put into the next request as it came", () => {
  const answer = { role: 'assistant', content: 'Hm', refusal: null, reasoning_content: 'x', malformed_tool_calls: [] };
  expect(sent({ messages: [...HELLO, answer] })).toEqual({ messages: [...HELLO, answer] });
});

test('unpaired surrogates become replacement characters, wherever they are', () => {
  const request = { messages: [{ role: 'user', content: 'a\ud800b🔥\\ud800' }], stop: ['\udc00\udc00'] };
  expect(sent({ ...request, chat_template_kwargs: { '\ud800': '\\\ud800' } })).toEqual({
    messages: [{ role: 'user', content: 'a\ufffdb🔥\\ud800' }],
    stop: ['\ufffd\ufffd'],
    chat_template_kwargs: { '\ufffd': '\\\ufffd' },
  });
});

test.each([
  ['flag `g`', { messages: HELLO, content_rules: [{ match: /a/g }] }],
  ['lookaround', { messages: HELLO, response_format: { type: 'regex', regex: /a(?=b)/ } }],
])('what the engine cannot run is named: %s', (name, request) => {
  expect(() => sent(request)).toThrow(UnsupportedError);
  expect(() => sent(request)).toThrow(name);
});

test.each([
  ['`temperature` cannot be NaN', { messages: HELLO, temperature: Number.NaN }],
  ['`max_tokens` cannot be Infinity', { messages: HELLO, max_tokens: Number.POSITIVE_INFINITY }],
  ['`5` cannot be NaN', { messages: HELLO, logit_bias: { 5: Number.NaN } }],
  ['`pattern` cannot be /a/', { messages: HELLO, response_format: { type: 'json_object', schema: { pattern: /a/ } } }],
  ['JSON cannot hold', { messages: HELLO, seed: 1n }],
  ['`content_filter` must be a function', { messages: HELLO, content_filter: 'secret' }],
  ['request object', null],
])('what JSON does not have is named: %s', (name, request) => {
  expect(() => sent(request)).toThrow(BadRequestError);
  expect(() => sent(request)).toThrow(name);
});
