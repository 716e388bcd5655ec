import { readdirSync, readFileSync } from 'node:fs';
import { expect, test } from 'vitest';
import { fieldTable, samplingOptions, samplingTypes } from '../../scripts/field-table.js';
import { BadRequestError, UnsupportedError } from '../errors.js';
import { isRead } from './field-policy.js';
import { FIELDS } from './fields.js';
import { OWN, PLAIN, toRequestJson, toWasmRequest } from './request.js';
import { SAMPLING } from './sampling.js';
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

test('what local servers take for no limit goes to the engine, which knows what it means', () => {
  const given = { messages: HELLO, max_tokens: -1, n_predict: -1, top_k: -1, reasoning: { budget_tokens: 5 } };
  expect(toWasmRequest(given as ChatCompletionRequest)).toEqual(given);
});

test('other names of options are passed on for the engine to join', () => {
  const request = { messages: HELLO, max_completion_tokens: 6, repeat_penalty: 1.1, reasoning_effort: 'low' } as const;
  expect(toWasmRequest(request)).toEqual(request);
});

test('every field that the engine reads is known here, and no other', () => {
  const fields = Object.keys(FIELDS[''] ?? {}).filter(isRead);
  expect([...OWN, ...Object.keys(PLAIN)].sort()).toEqual(fields.sort());
});

test('the table of fields is the one of the engine', () => {
  expect(FIELDS).toEqual(fieldTable());
});

test('the options of sampling are those of the engine', () => {
  expect(SAMPLING).toEqual(samplingTypes());
  const source = readFileSync(new URL('./sampling.ts', import.meta.url), 'utf8');
  for (const { name, help } of samplingOptions()) {
    expect(source).toContain(`  readonly ${name}?: `);
    expect(source).toContain(help);
  }
});

test('samplers are passed on, and what they may hold is the engine’s to check', () => {
  const request = { messages: HELLO, dry_multiplier: 0.8, xtc_probability: 0.5, logprobs: true, top_logprobs: 5, n: 2 };
  expect(toWasmRequest({ ...request, dry_sequence_breakers: ':' })).toEqual({
    ...request,
    dry_sequence_breakers: [':'],
  });
  expect(() => toWasmRequest(untyped({ ...request, typical_p: '1' }))).toThrow('`typical_p` must be a finite number');
});

test('options that ask nothing may be given, and so may null everywhere', () => {
  const neutral = {
    store: false,
    metadata: { a: 'b' },
    user: 'u',
    echo: false,
    best_of: 1,
    service_tier: 'auto',
    modalities: ['text'],
    verbosity: 'low',
    audio: null,
    web_search_options: undefined,
    include_stop_str_in_output: false,
    tfs_z: 1,
  };
  const nothing = Object.fromEntries([...OWN, ...Object.keys(PLAIN)].map((name) => [name, null]));
  expect(toWasmRequest(untyped({ ...nothing, ...neutral, messages: HELLO }))).toEqual({ messages: HELLO });
});

/** What clients send, with what the engine makes of it. */
const RECORDED = new URL('../../../tests/clients/', import.meta.url);
const recorded = ['openai', 'langchain', 'ai-sdk'].flatMap((client) =>
  readdirSync(new URL(`${client}/`, RECORDED)).map((name) => `${client}/${name}`),
);

test.each(recorded)('what a client sends is passed on as it is, or refused as the engine refuses it: %s', (name) => {
  const { body, expected } = JSON.parse(readFileSync(new URL(name, RECORDED), 'utf8'));
  let found: unknown;
  try {
    found = toWasmRequest(body);
  } catch (error) {
    expect((error as Error).message).toBe(expected.error);
    return;
  }
  // How it streams is decided here, and one stop string is a list of one; what is said on no tools, or no form, is nothing.
  const { stream, stream_options, ...rest } = body;
  if (rest.response_format?.type === 'text') delete rest.response_format;
  if (rest.tools === undefined) delete rest.tool_choice;
  if (rest.tools === undefined) delete rest.parallel_tool_calls;
  const given = Object.entries(rest).filter(([key, value]) => isRead(key) && value !== null);
  expect(found).toEqual(Object.fromEntries(given));
});

const CLOCK = { type: 'function', function: { name: 'clock', strict: true, parameters: { type: 'object' } } } as const;

test('tools and how to choose among them are passed on', () => {
  const tools = [CLOCK];
  expect(toWasmRequest({ messages: HELLO, tools })).toEqual({ messages: HELLO, tools });
  for (const tool_choice of ['none', 'auto', 'required', { type: 'function', function: { name: 'clock' } }] as const) {
    const request = { messages: HELLO, tools, tool_choice, parallel_tool_calls: false };
    expect(toWasmRequest(request)).toEqual(request);
  }
  expect(toWasmRequest({ messages: HELLO, tools: [], tool_choice: 'auto', parallel_tool_calls: true })).toEqual({
    messages: HELLO,
  });
});

test('everything that a template or a form of calls may want is passed on', () => {
  const request = {
    messages: [...HELLO, { role: 'assistant', content: 'Well, ' }],
    chat_template: 'chatml',
    chat_template_kwargs: { enable_thinking: false },
    add_generation_prompt: false,
    continue_final_message: true,
    documents: [{ title: 'a', text: 'b' }],
    tool_dialect: 'hermes',
    reasoning_format: 'think',
    reasoning: { enabled: true, budget_tokens: 64 },
    logit_bias: { '17': -100 },
    segment: 'line',
  } as const;
  expect(toWasmRequest(request)).toEqual(request);
});

test('a filter gets whole sentences, or what it asks for, and stays on this side', () => {
  const content_filter = () => true;
  expect(toWasmRequest({ messages: HELLO, content_filter })).toEqual({ messages: HELLO, segment: 'sentence' });
  const words = toWasmRequest({ messages: HELLO, content_filter, segment: 'word' });
  expect(words).toEqual({ messages: HELLO, segment: 'word' });
});

test('content rules are translated, and say what happens', () => {
  const { content_rules } = toWasmRequest({
    messages: HELLO,
    content_rules: [{ match: 'secret' }, { match: /k[e3]y \d/i, action: 'mask', mask: '***' }],
  });
  expect(content_rules).toEqual([
    { match: 'secret', action: 'stop' },
    { match: { regex: '(?i)k[e3]y [0-9]' }, action: 'mask', mask: '***' },
  ]);
  expect(toWasmRequest({ messages: HELLO, content_rules: [] })).toEqual({ messages: HELLO });
});

test.each([
  [{ type: 'text' }, undefined],
  [{ type: 'json_object' }, undefined],
  [{ type: 'json_schema', json_schema: { name: 'n', schema: { type: 'object' }, strict: true } }, undefined],
  [{ type: 'regex', regex: '[a-z]+' }, undefined],
  [
    { type: 'regex', regex: /\d+/ },
    { type: 'regex', regex: '[0-9]+' },
  ],
  [{ type: 'lark', grammar: 'start: "a"' }, undefined],
  [{ type: 'gbnf', grammar: 'root ::= "a"' }, undefined],
  [{ type: 'choice', choices: ['yes', 'no'], trigger: '</think>' }, undefined],
] as const)('the response format %j is passed on', (response_format, translated) => {
  const expected = response_format.type === 'text' ? {} : { response_format: translated ?? response_format };
  expect(toWasmRequest({ messages: HELLO, response_format })).toEqual({ messages: HELLO, ...expected });
});

test('parts are the engine’s to join, and no content is none', () => {
  const call = { id: 'a', type: 'function', function: { name: 'f', arguments: '{}' } } as const;
  const content = [
    { type: 'text', text: 'a' },
    { type: 'image_url', image_url: { url: 'data:image/png;base64,' } },
  ] as const;
  const { messages } = toWasmRequest({
    messages: [
      { role: 'user', content },
      { role: 'assistant', content: null, tool_calls: [call] },
      { role: 'tool', tool_call_id: 'a', content: '1' },
    ],
  });
  expect(messages).toEqual([
    { role: 'user', content },
    { role: 'assistant', content: null, tool_calls: [call] },
    { role: 'tool', tool_call_id: 'a', content: '1' },
  ]);
});

test("an answer's message can be put into the next request as it came", () => {
  const answer = { role: 'assistant', content: 'Hm', refusal: null, reasoning_content: 'x', malformed_tool_calls: [] };
  const { messages } = toWasmRequest(untyped({ messages: [...HELLO, answer] }));
  expect(messages[1]).toEqual(answer);
});

test('unpaired surrogates become replacement characters, wherever they are', () => {
  const request = { messages: [{ role: 'user', content: 'a\ud800b🔥\\ud800' }], stop: ['\udc00\udc00'] } as const;
  const json = toRequestJson(toWasmRequest({ ...request, chat_template_kwargs: { '\ud800': '\\\ud800' } }));
  expect(JSON.parse(json)).toEqual({
    messages: [{ role: 'user', content: 'a\ufffdb🔥\\ud800' }],
    stop: ['\ufffd\ufffd'],
    chat_template_kwargs: { '\ufffd': '\\\ufffd' },
  });
});

test.each([
  ['`echo` cannot be true', { messages: HELLO, echo: true }],
  ['`modalities` cannot be ["text","audio"]', { messages: HELLO, modalities: ['text', 'audio'] }],
  ['`tools[0].type` cannot be "custom"', { messages: HELLO, tools: [{ type: 'custom', custom: { name: 'f' } }] }],
  ['`tools[0].name` cannot be "clock"', { messages: HELLO, tools: [{ name: 'clock' }] }],
  ['did you mean `max_tokens`?', { messages: HELLO, max_token: 5 }],
  ['did you mean `top_p`?', { messages: HELLO, topP: 1 }],
  ['did you mean `stream_options.include_usage`?', { messages: HELLO, stream_options: { include_usages: true } }],
  ['`x` is no field of a request; leave it out', { messages: HELLO, x: [] }],
  ['`messages[0].audio`', { messages: [{ role: 'assistant', content: null, audio: { id: 'a' } }] }],
  ['xml', { messages: HELLO, response_format: { type: 'xml' } }],
  ['toString', { messages: HELLO, response_format: { type: 'toString' } }],
  ['`reasoning.summary`', { messages: HELLO, reasoning: { summary: 'auto' } }],
  ['replace', { messages: HELLO, content_rules: [{ match: 'a', replace: 'b' }] }],
  ['flag `g`', { messages: HELLO, content_rules: [{ match: /a/g }] }],
  ['lookaround', { messages: HELLO, response_format: { type: 'regex', regex: /a(?=b)/ } }],
  ['`best_of` cannot be 2', { messages: HELLO, best_of: 2 }],
  ['`smell`', { messages: [{ role: 'user', content: [{ type: 'smell' }] }] }],
  ['`null`', { messages: [{ role: 'user', content: [{ type: null }] }] }],
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
  ['messages[0].reasoning_content', { messages: [{ role: 'assistant', reasoning_content: 1 }] }],
  ['messages[0].tool_calls', { messages: [{ role: 'assistant', tool_calls: {} }] }],
  ['tool_calls[0]', { messages: [{ role: 'assistant', tool_calls: [null] }] }],
  ['tool_calls[0]', { messages: [{ role: 'assistant', tool_calls: [{ function: { name: 'f', arguments: {} } }] }] }],
  ['tools[0]', { messages: HELLO, tools: [{ type: 'function' }] }],
  ['tools[1]', { messages: HELLO, tools: [CLOCK, CLOCK] }],
  [
    'tools[0].function.parameters',
    { messages: HELLO, tools: [{ type: 'function', function: { name: 'f', parameters: 'x' } }] },
  ],
  ['no `tools`', { messages: HELLO, tool_choice: 'required' }],
  ['tool_choice', { messages: HELLO, tools: [CLOCK], tool_choice: 'always' }],
  ['`watch`', { messages: HELLO, tools: [CLOCK], tool_choice: { type: 'function', function: { name: 'watch' } } }],
  ['parallel_tool_calls', { messages: HELLO, tools: [CLOCK], parallel_tool_calls: 'no' }],
  ['response_format', { messages: HELLO, response_format: 'json_object' }],
  ['schema', { messages: HELLO, response_format: { type: 'json_schema', schema: {} } }],
  ['regex', { messages: HELLO, response_format: { type: 'regex' } }],
  ['grammar', { messages: HELLO, response_format: { type: 'gbnf', grammar: null } }],
  ['choices', { messages: HELLO, response_format: { type: 'choice', choices: [] } }],
  ['trigger', { messages: HELLO, response_format: { type: 'json_object', trigger: '' } }],
  ['reasoning', { messages: HELLO, reasoning: true }],
  ['reasoning.budget_tokens', { messages: HELLO, reasoning: { budget_tokens: '9' } }],
  ['content_rules', { messages: HELLO, content_rules: 'secret' }],
  ['content_rules[1].match', { messages: HELLO, content_rules: [{ match: 'a' }, { match: '' }] }],
  ['content_rules[0].action', { messages: HELLO, content_rules: [{ match: 'a', action: 'hide' }] }],
  ['content_rules[0].mask', { messages: HELLO, content_rules: [{ match: 'a', mask: '*' }] }],
  ['content_filter', { messages: HELLO, content_filter: 'secret' }],
  ['segment', { messages: HELLO, segment: 'page' }],
  ['logit_bias["5"]', { messages: HELLO, logit_bias: { 5: Number.NaN } }],
  ['documents', { messages: HELLO, documents: {} }],
  ['chat_template', { messages: HELLO, chat_template: 3 }],
  ['stop', { messages: HELLO, stop: [''] }],
  ['stop', { messages: HELLO, stop: 3 }],
  ['request object', null],
])('what has the wrong form is named: %s', (name, request) => {
  expect(() => toWasmRequest(untyped(request))).toThrow(BadRequestError);
  expect(() => toWasmRequest(untyped(request))).toThrow(name);
});
