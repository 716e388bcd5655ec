import {
  AbortedError,
  type ChatCompletionChunk,
  type ChatCompletionRequest,
  type Engine,
  OutOfMemoryError,
} from 'inglenook';
import { expect, test } from 'vitest';
import { Conversation } from './conversation.js';

const USAGE = { prompt_tokens: 3, completion_tokens: 2, total_tokens: 5, prompt_tokens_details: { cached_tokens: 0 } };

/** An engine that answers with these pieces, an error among them thrown, and notes what it was asked. */
function engineOf(...pieces: (string | Error)[]): { engine: Engine; asked: ChatCompletionRequest[] } {
  const asked: ChatCompletionRequest[] = [];
  const create = async (request: ChatCompletionRequest) => {
    if (request.stream !== true) throw new TypeError('the page streams');
    const { signal, ...rest } = request;
    asked.push(structuredClone(rest));
    return chunks(pieces, signal);
  };
  return { engine: { chat: { completions: { create } } } as unknown as Engine, asked };
}

async function* chunks(
  pieces: (string | Error)[],
  signal: AbortSignal | undefined,
): AsyncGenerator<ChatCompletionChunk> {
  const chunk = (content: string | undefined, finish_reason: 'stop' | null): ChatCompletionChunk => ({
    id: 'chatcmpl-1',
    object: 'chat.completion.chunk',
    created: 0,
    model: 'm',
    choices: [{ index: 0, delta: content === undefined ? {} : { content }, finish_reason, logprobs: null }],
    usage: null,
  });
  for (const piece of pieces) {
    await Promise.resolve();
    if (signal?.aborted) throw new AbortedError('aborted');
    if (piece instanceof Error) throw piece;
    yield chunk(piece, null);
  }
  yield { ...chunk(undefined, 'stop'), timings: { prefill_ms: 1, decode_ms: 2 } };
  yield { ...chunk(undefined, null), choices: [], usage: USAGE };
}

const roles = (request: ChatCompletionRequest | undefined) =>
  request?.messages.map(({ role, content }) => `${role}: ${content}`);

test('an answer is told piece by piece and becomes part of the next question', async () => {
  const { engine, asked } = engineOf('Hel', 'lo');
  const conversation = new Conversation();
  const heard: string[] = [];
  conversation.ask('Hi');
  const outcome = await conversation.answer(
    async () => engine,
    (text) => heard.push(text),
  );
  expect(heard).toEqual(['Hel', 'lo']);
  expect(outcome).toEqual({ kind: 'done', usage: USAGE, timings: { prefill_ms: 1, decode_ms: 2 }, cut: false });
  conversation.ask('Again');
  await conversation.answer(
    async () => engine,
    () => undefined,
  );
  expect(roles(asked[1])).toEqual(['user: Hi', 'assistant: Hello', 'user: Again']);
});

test('a stopped answer keeps what was said', async () => {
  const { engine, asked } = engineOf('a', 'b', 'c');
  const conversation = new Conversation();
  conversation.ask('Hi');
  const outcome = await conversation.answer(
    async () => engine,
    (text) => {
      if (text === 'b') conversation.stop();
    },
  );
  expect(outcome).toEqual({ kind: 'stopped' });
  expect(conversation.busy).toBe(false);
  conversation.ask('More');
  await conversation.answer(
    async () => engine,
    () => undefined,
  );
  expect(roles(asked[1])).toEqual(['user: Hi', 'assistant: ab', 'user: More']);
});

test('an error is the outcome, and a question without an answer gives way to the next', async () => {
  const conversation = new Conversation();
  const error = new OutOfMemoryError('full');
  conversation.ask('Hi');
  const outcome = await conversation.answer(
    async () => engineOf(error).engine,
    () => undefined,
  );
  expect(outcome).toEqual({ kind: 'failed', error });
  const { engine, asked } = engineOf('ok');
  conversation.ask('Other');
  await conversation.answer(
    async () => engine,
    () => undefined,
  );
  expect(roles(asked[0])).toEqual(['user: Other']);
});

test('an answer can be taken back and asked for again', async () => {
  const { engine, asked } = engineOf('one');
  const conversation = new Conversation();
  conversation.ask('Hi');
  for (let n = 0; n < 2; n += 1) {
    conversation.dropLastAnswer();
    await conversation.answer(
      async () => engine,
      () => undefined,
    );
  }
  expect(asked.map(roles)).toEqual([['user: Hi'], ['user: Hi']]);
});

test('clearing ends the answer, which then belongs to nothing', async () => {
  const { engine, asked } = engineOf('a', 'b');
  const conversation = new Conversation();
  conversation.ask('Hi');
  await conversation.answer(
    async () => engine,
    () => conversation.clear(),
  );
  conversation.ask('New');
  await conversation.answer(
    async () => engine,
    () => undefined,
  );
  expect(roles(asked[1])).toEqual(['user: New']);
});
