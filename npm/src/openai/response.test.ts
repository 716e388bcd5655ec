import { readdirSync, readFileSync } from 'node:fs';
import { expect, test } from 'vitest';
import { collect, createTestEngine } from '../../test/engine.js';
import type { FakePiece } from '../../test/fake-wasm.js';
import { BadRequestError } from '../errors.js';
import type { GenerationEvent } from '../protocol.js';
import { MessageBuilder } from './delta.js';
import { toChunks, toCompletion } from './response.js';
import type { ChatCompletionRequest, Delta } from './types.js';

const ASK = { messages: [{ role: 'user', content: 'Hello' }] } as const;

const CALL: readonly FakePiece[] = [
  { type: 'tool_call', index: 0, id: 'call_1', name: 'add' },
  { type: 'tool_arguments', index: 0, text: '{"a": 1' },
  { type: 'tool_arguments', index: 0, text: ', "b": 2}' },
];
const SECOND: readonly FakePiece[] = [
  { type: 'tool_call', index: 1, id: 'call_2', name: 'now' },
  { type: 'tool_arguments', index: 1, text: '{}' },
];

/** The deltas of an answer and how it ended, and the same answer whole. */
async function bothWays(pieces: readonly FakePiece[], options: Partial<ChatCompletionRequest> = {}) {
  const engine = await createTestEngine({ answer: () => pieces });
  const request = { ...ASK, ...options };
  const chunks = await collect(await engine.chat.completions.create({ ...request, stream: true }));
  const whole = await engine.chat.completions.create({ ...request, stream: false });
  await engine.close();
  const deltas = chunks.map(({ choices }) => choices[0]?.delta ?? {});
  return { deltas, reason: chunks.at(-1)?.choices[0]?.finish_reason, whole: whole.choices[0], usage: whole.usage };
}

test('a tool call is announced by its name, and its arguments follow', async () => {
  const { deltas, reason, whole } = await bothWays([...CALL, ...SECOND]);
  expect(deltas).toEqual([
    { role: 'assistant', content: '' },
    { tool_calls: [{ index: 0, id: 'call_1', type: 'function', function: { name: 'add', arguments: '' } }] },
    { tool_calls: [{ index: 0, function: { arguments: '{"a": 1' } }] },
    { tool_calls: [{ index: 0, function: { arguments: ', "b": 2}' } }] },
    { tool_calls: [{ index: 1, id: 'call_2', type: 'function', function: { name: 'now', arguments: '' } }] },
    { tool_calls: [{ index: 1, function: { arguments: '{}' } }] },
    {},
  ]);
  expect(reason).toBe('tool_calls');
  expect(whole).toMatchObject({
    message: {
      content: null,
      tool_calls: [
        { id: 'call_1', type: 'function', function: { name: 'add', arguments: '{"a": 1, "b": 2}' } },
        { id: 'call_2', type: 'function', function: { name: 'now', arguments: '{}' } },
      ],
    },
    finish_reason: 'tool_calls',
  });
});

test('thoughts are told apart from what is said, which may stand beside calls', async () => {
  const thought = { type: 'reasoning', text: 'Hm, ' } as const;
  const { deltas, whole } = await bothWays([thought, { ...thought, text: 'yes.' }, 'I add.', ...CALL]);
  expect(deltas[1]).toEqual({ reasoning_content: 'Hm, ' });
  expect(whole.message).toMatchObject({ content: 'I add.', reasoning_content: 'Hm, yes.' });
  expect(whole.message.tool_calls).toHaveLength(1);
});

test('an answer of nothing at all is an empty text', async () => {
  const { whole } = await bothWays([]);
  expect(whole).toEqual({
    index: 0,
    message: { role: 'assistant', content: '', refusal: null },
    finish_reason: 'stop',
    logprobs: null,
  });
});

test('a malformed call is withdrawn, and its text is content with a flag', async () => {
  const raw = '<tool_call>{"name": "now", ';
  const { deltas, whole } = await bothWays([...CALL, ...SECOND, { type: 'malformed_call', index: 1, text: raw }]);
  expect(deltas.at(-2)).toEqual({ content: raw, malformed_tool_call: { index: 1, text: raw } });
  expect(whole.message.content).toBe(raw);
  expect(whole.message.tool_calls?.map(({ id }) => id)).toEqual(['call_1']);
  expect(whole.message.malformed_tool_calls).toEqual([{ index: 1, text: raw }]);
});

test('a malformed call that was never announced withdraws nothing', async () => {
  const { whole } = await bothWays([...CALL, { type: 'malformed_call', index: null, text: '<tool_call>' }]);
  expect(whole.message.tool_calls).toHaveLength(1);
  expect(whole.message.content).toBe('<tool_call>');
});

test('a call that the token limit cuts off is none, streamed or whole', async () => {
  const text = '<tool_call>{"name": "now", "arguments": {';
  const started: readonly FakePiece[] = [
    { type: 'tool_call', index: 1, id: 'call_2', name: 'now' },
    { type: 'tool_arguments', index: 1, text: '{' },
    { type: 'malformed_call', index: 1, text },
  ];
  const pieces = [...CALL, ...started, 'never said'];
  const { deltas, reason, whole } = await bothWays(pieces, { max_tokens: pieces.length - 1 });
  // What was streamed of it is withdrawn by name: the limit shows only at the end.
  expect(deltas.slice(-2)).toEqual([{ content: text, malformed_tool_call: { index: 1, text } }, {}]);
  expect(reason).toBe('length');
  expect(whole.finish_reason).toBe('length');
  expect(whole.message.tool_calls?.map(({ id }) => id)).toEqual(['call_1']);
  expect(whole.message.malformed_tool_calls).toEqual([{ index: 1, text }]);
});

test('the deltas of a stream joined are the whole message', async () => {
  const { deltas, whole } = await bothWays([
    { type: 'reasoning', text: 'a' },
    'b',
    ...SECOND,
    ...CALL,
    { type: 'malformed_call', index: null, text: 'c' },
  ]);
  const message = new MessageBuilder();
  for (const delta of deltas) message.add(delta satisfies Delta);
  expect(message.build()).toEqual(whole.message);
  expect(whole.message.tool_calls?.map(({ id }) => id)).toEqual(['call_1', 'call_2']);
});

test('a filter lets pass, replaces, and ends, and sees no thought and no call', async () => {
  const seen: string[] = [];
  const pieces: readonly FakePiece[] = [{ type: 'reasoning', text: 'bad' }, 'One. ', 'Two. ', ...CALL, 'bad.', 'Four.'];
  const { deltas, reason, whole, usage } = await bothWays(pieces, {
    content_filter: async (segment) => {
      seen.push(segment);
      return segment === 'Two. ' ? '2. ' : segment !== 'bad.';
    },
  });
  expect(seen).toEqual(['One. ', 'Two. ', 'bad.', 'One. ', 'Two. ', 'bad.']);
  expect(deltas.map(({ content }) => content ?? '').join('')).toBe('One. 2. ');
  expect(reason).toBe('content_filter');
  expect(whole.finish_reason).toBe('content_filter');
  expect(whole.message).toMatchObject({ content: 'One. 2. ', reasoning_content: 'bad' });
  expect(usage.completion_tokens).toBeGreaterThanOrEqual(6);
});

test('a filter that says no stops the engine', async () => {
  const engine = await createTestEngine({ answer: () => Array(1000).fill('x '), delay: 5, groupSize: 1 });
  const begun = performance.now();
  let words = 0;
  const answer = await engine.chat.completions.create({
    ...ASK,
    content_filter: () => {
      words += 1;
      return words < 4;
    },
  });
  expect(performance.now() - begun).toBeLessThan(1000);
  expect(answer.choices[0]).toMatchObject({ message: { content: 'x x x ' }, finish_reason: 'content_filter' });
  expect(answer.usage.completion_tokens).toBeLessThan(20);
  await engine.close();
});

test('a malformed call is looked at too, since its text is content', async () => {
  const malformed = { type: 'malformed_call', index: null, text: 'bad' } as const;
  const { deltas, whole } = await bothWays([malformed], { content_filter: () => '[removed]' });
  expect(deltas[1]).toEqual({ content: '[removed]', malformed_tool_call: { index: null, text: '[removed]' } });
  expect(JSON.stringify(whole)).not.toContain('bad');
});

test('what a filter throws, or gives that is no verdict, ends the answer', async () => {
  const engine = await createTestEngine({ answer: () => Array(1000).fill('x'), delay: 5, groupSize: 1 });
  const broken = engine.chat.completions.create({
    ...ASK,
    content_filter: () => {
      throw new RangeError('my own');
    },
  });
  await expect(broken).rejects.toThrow(new RangeError('my own'));
  const mute = engine.chat.completions.create({ ...ASK, content_filter: () => undefined as unknown as boolean });
  await expect(mute).rejects.toBeInstanceOf(BadRequestError);
  await engine.close();
});

/** What events come to, for this package and for the command line alike. */
const COMPLETIONS = new URL('../../../tests/completions/', import.meta.url);
const completions = readdirSync(COMPLETIONS).filter((name) => name.endsWith('.json'));

test.each(completions)(
  'events come to the same completion, whole or streamed, as for all who build one: %s',
  async (name) => {
    const { events, choices, usage } = JSON.parse(readFileSync(new URL(name, COMPLETIONS), 'utf8'));
    const all = async function* (): AsyncGenerator<GenerationEvent> {
      yield* events;
    };
    const head = { id: 'a', created: 1, model: 'm' };
    const { timings, ...whole } = await toCompletion(all(), head);
    expect(whole).toEqual({ ...head, object: 'chat.completion', choices, usage });
    const messages = choices.map(() => new MessageBuilder());
    let last: unknown;
    for await (const chunk of toChunks(all(), head, true, choices.length)) {
      for (const { index, delta } of chunk.choices) messages[index].add(delta);
      last = chunk.usage;
    }
    expect(messages.map((message: MessageBuilder) => message.build())).toEqual(
      choices.map(({ message }: { message: unknown }) => message),
    );
    expect(last).toEqual(usage);
  },
);
test('what did not fit into the context is told of when it is left out, and in the usage', async () => {
  const truncated = { messages: 2, tokens: 30 };
  const engine = await createTestEngine({ answer: () => [{ type: 'truncated', ...truncated }, 'Yes.'] });
  const request = { ...ASK, truncation: 'auto' } as const;
  const chunks = await collect(await engine.chat.completions.create({ ...request, stream: true }));
  expect(chunks.map((chunk) => chunk.truncated)).toEqual([undefined, truncated, undefined, undefined]);
  const { usage, choices } = await engine.chat.completions.create(request);
  expect([usage.truncated_tokens, choices[0].message.content]).toEqual([30, 'Yes.']);
  await engine.close();
});

test('the log-probabilities of a prompt come before the answer, and whole with it', async () => {
  const token = (text: string) => ({ token: text, logprob: -0.5, bytes: [97], top_logprobs: [] });
  const pieces = [['a', 'b'], ['c']].map((texts) => ({ type: 'prompt_logprobs', tokens: texts.map(token) }) as const);
  const engine = await createTestEngine({ answer: () => [...pieces, 'Yes.'] });
  const request = { ...ASK, prompt_logprobs: 0 } as const;
  const chunks = await collect(await engine.chat.completions.create({ ...request, stream: true }));
  expect(chunks.flatMap((chunk) => chunk.prompt_logprobs ?? []).map((entry) => entry.token)).toEqual(['a', 'b', 'c']);
  const { prompt_logprobs, choices } = await engine.chat.completions.create(request);
  expect(prompt_logprobs?.map((entry) => entry.token)).toEqual(['a', 'b', 'c']);
  expect(choices[0].message.content).toBe('Yes.');
  await engine.close();
});
