import { expect, test } from 'vitest';
import { BadRequestError, UnsupportedError } from '../errors.js';
import { toWasmRequest } from './request.js';
import type { ChatCompletionRequest } from './types.js';

const HELLO = [{ role: 'user', content: 'Hello' }] as const;

/** A request that the types would not allow. */
const untyped = (request: unknown) => request as ChatCompletionRequest;

test('only what the engine knows is passed on', () => {
  const request = toWasmRequest({
    messages: HELLO,
    model: 'gpt',
    stream: true,
    stream_options: { include_usage: true },
    signal: new AbortController().signal,
    temperature: 0,
    top_k: 40,
    seed: 7,
    stop: '\n',
    max_tokens: null,
  });
  expect(request).toEqual({ messages: HELLO, temperature: 0, top_k: 40, seed: 7, stop: ['\n'] });
});

test('both names of the token limit work, and the newer one wins', () => {
  expect(toWasmRequest({ messages: HELLO, max_tokens: 5 }).max_tokens).toBe(5);
  expect(toWasmRequest({ messages: HELLO, max_tokens: 5, max_completion_tokens: 6 }).max_tokens).toBe(6);
});

test('tools are offered unless the model must not call any', () => {
  const tools = [{ type: 'function', function: { name: 'clock' } }] as const;
  expect(toWasmRequest({ messages: HELLO, tools }).tools).toEqual(tools);
  expect(toWasmRequest({ messages: HELLO, tools, tool_choice: 'auto' }).tools).toEqual(tools);
  expect(toWasmRequest({ messages: HELLO, tools, tool_choice: 'none' })).toEqual({ messages: HELLO });
});

test('text parts become one text, and no content an empty one', () => {
  const call = { id: 'a', type: 'function', function: { name: 'f', arguments: '{}' } } as const;
  const { messages } = toWasmRequest({
    messages: [
      {
        role: 'user',
        content: [
          { type: 'text', text: 'a' },
          { type: 'text', text: 'b' },
        ],
      },
      { role: 'assistant', content: null, tool_calls: [call] },
      { role: 'tool', tool_call_id: 'a', content: '1' },
    ],
  });
  expect(messages).toEqual([
    { role: 'user', content: 'ab' },
    { role: 'assistant', content: '', tool_calls: [call] },
    { role: 'tool', tool_call_id: 'a', content: '1' },
  ]);
});

test('unpaired surrogates become replacement characters', () => {
  const { messages, stop } = toWasmRequest({ messages: [{ role: 'user', content: 'a\ud800b' }], stop: ['\udc00'] });
  expect(messages[0]?.content).toBe('a\ufffdb');
  expect(stop).toEqual(['\ufffd']);
});

test.each([
  ['logprobs', { messages: HELLO, logprobs: true }],
  ['response_format', { messages: HELLO, response_format: { type: 'json_object' } }],
  ['tool_choice', { messages: HELLO, tool_choice: 'required' }],
  ['`n`', { messages: HELLO, n: 2 }],
  ['image_url', { messages: [{ role: 'user', content: [{ type: 'image_url' }] }] }],
])('what is not supported is named: %s', (name, request) => {
  expect(() => toWasmRequest(untyped(request))).toThrow(UnsupportedError);
  expect(() => toWasmRequest(untyped(request))).toThrow(name);
});

test.each([
  ['messages', {}],
  ['messages', { messages: [] }],
  ['messages', { messages: 'Hello' }],
  ['messages[1]', { messages: [...HELLO, { role: 'robot', content: 'Hi' }] }],
  ['messages[0]', { messages: [null] }],
  ['messages[0].content', { messages: [{ role: 'user', content: 42 }] }],
  ['messages[0]', { messages: [{ role: 'user', content: [{ type: 'text' }] }] }],
  ['temperature', { messages: HELLO, temperature: Number.NaN }],
  ['top_p', { messages: HELLO, top_p: '1' }],
  ['max_tokens', { messages: HELLO, max_tokens: Number.POSITIVE_INFINITY }],
  ['stop', { messages: HELLO, stop: [''] }],
  ['stop', { messages: HELLO, stop: 3 }],
  ['request object', null],
])('what has the wrong form is named: %s', (name, request) => {
  expect(() => toWasmRequest(untyped(request))).toThrow(BadRequestError);
  expect(() => toWasmRequest(untyped(request))).toThrow(name);
});
