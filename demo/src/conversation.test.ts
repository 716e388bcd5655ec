import {
  AbortedError,
  type ChatCompletionChunk,
  type ChatCompletionRequest,
  type Delta,
  type Engine,
  type FinishReason,
  OutOfMemoryError,
  type RunnableTool,
  type RunToolsRequest,
  ToolRun,
} from 'inglenook';
import { expect, test } from 'vitest';
import { type AnswerEvent, Conversation } from './conversation.js';

/** What an engine says in one round: texts, deltas, errors that are thrown. */
type Piece = string | Delta | Error;

const USAGE = { prompt_tokens: 3, completion_tokens: 2, total_tokens: 5, prompt_tokens_details: { cached_tokens: 0 } };

/** An engine that says this in each round, the last again and again, and notes what it was asked. */
function engineOf(...rounds: Piece[][]): { engine: Engine; asked: ChatCompletionRequest[] } {
  const asked: ChatCompletionRequest[] = [];
  const create = async (request: ChatCompletionRequest) => {
    if (request.stream !== true) throw new TypeError('the page streams');
    const { signal, ...rest } = request;
    asked.push(structuredClone(rest));
    return chunks(rounds[asked.length - 1] ?? rounds.at(-1) ?? [], signal);
  };
  const runTools = (request: RunToolsRequest) => new ToolRun(create, request);
  return { engine: { chat: { completions: { create, runTools } } } as unknown as Engine, asked };
}

async function* chunks(pieces: Piece[], signal: AbortSignal | undefined): AsyncGenerator<ChatCompletionChunk> {
  const chunk = (delta: Delta, finish_reason: FinishReason | null = null): ChatCompletionChunk => ({
    id: 'chatcmpl-1',
    object: 'chat.completion.chunk',
    created: 0,
    model: 'm',
    choices: [{ index: 0, delta, finish_reason, logprobs: null }],
    usage: null,
  });
  let calls = false;
  for (const piece of pieces) {
    await Promise.resolve();
    if (signal?.aborted) throw new AbortedError('aborted');
    if (piece instanceof Error) throw piece;
    const delta = typeof piece === 'string' ? { content: piece } : piece;
    calls ||= delta.tool_calls !== undefined;
    yield chunk(delta);
  }
  yield { ...chunk({}, calls ? 'tool_calls' : 'stop'), timings: { queue_ms: 0, prefill_ms: 1, decode_ms: 2 } };
  yield { ...chunk({}), choices: [], usage: USAGE };
}

/** A call as it is announced, and as its arguments come. */
const call = (index: number, id: string, name: string): Delta => ({
  tool_calls: [{ index, id, type: 'function', function: { name, arguments: '' } }],
});
const given = (index: number, text: string): Delta => ({ tool_calls: [{ index, function: { arguments: text } }] });

const double: RunnableTool = {
  type: 'function',
  function: { name: 'double', function: ({ n }) => ({ result: Number(n) * 2 }) },
};

/** A question is asked and answered; what happened meanwhile. */
async function answered(
  conversation: Conversation,
  engine: Engine,
  tools: readonly RunnableTool[] = [],
  onEvent: (event: AnswerEvent) => void = () => undefined,
) {
  const events: AnswerEvent[] = [];
  const outcome = await conversation.answer(
    async () => engine,
    tools,
    (event) => {
      events.push(event);
      onEvent(event);
    },
  );
  return { outcome, events };
}

const roles = (request: ChatCompletionRequest | undefined) =>
  request?.messages.map(({ role, content, tool_calls }) => `${role}: ${content ?? `${tool_calls?.length} calls`}`);

test('an answer is told piece by piece and becomes part of the next question', async () => {
  const { engine, asked } = engineOf(['Hel', 'lo']);
  const conversation = new Conversation();
  conversation.ask('Hi');
  const { outcome, events } = await answered(conversation, engine);
  expect(events).toEqual([
    { kind: 'text', text: 'Hel' },
    { kind: 'text', text: 'lo' },
  ]);
  expect(outcome).toEqual({ kind: 'done', tokens: 2, decodeMs: 2, cut: false });
  conversation.ask('Again');
  await answered(conversation, engine);
  expect(roles(asked[1])).toEqual(['user: Hi', 'assistant: Hello', 'user: Again']);
});

test('a call is shown, executed and answered, and all of it belongs to the conversation', async () => {
  const { engine, asked } = engineOf(
    [{ reasoning_content: 'Twice.' }, call(0, 'a', 'double'), given(0, '{"n"'), given(0, ': 4}')],
    ['It is 8.'],
  );
  const conversation = new Conversation();
  conversation.ask('Double 4');
  const { outcome, events } = await answered(conversation, engine, [double]);
  expect(events).toEqual([
    { kind: 'thought', text: 'Twice.' },
    { kind: 'call', key: '1:a', name: 'double' },
    { kind: 'arguments', key: '1:a', text: '{"n"' },
    { kind: 'arguments', key: '1:a', text: ': 4}' },
    { kind: 'running' },
    { kind: 'result', key: '1:a', content: '{"result":8}', failed: false },
    { kind: 'text', text: 'It is 8.' },
  ]);
  expect(outcome).toEqual({ kind: 'done', tokens: 4, decodeMs: 4, cut: false });
  expect(asked[0]?.tools).toEqual([{ type: 'function', function: { name: 'double' } }]);
  conversation.ask('Thanks');
  await answered(conversation, engine);
  expect(asked[2]?.tools).toEqual([]);
  expect(roles(asked[2])).toEqual([
    'user: Double 4',
    'assistant: 1 calls',
    'tool: {"result":8}',
    'assistant: It is 8.',
    'user: Thanks',
  ]);
  conversation.dropLastAnswer();
  await answered(conversation, engine);
  expect(roles(asked[3])).toEqual(roles(asked[2]));
});

test('an answer with calls is taken back whole', async () => {
  const { engine, asked } = engineOf([call(0, 'a', 'double'), given(0, '{}')], ['Done.']);
  const conversation = new Conversation();
  conversation.ask('Double');
  await answered(conversation, engine, [double]);
  conversation.dropLastAnswer();
  await answered(conversation, engine, [double]);
  expect(roles(asked[2])).toEqual(['user: Double']);
});

test('a call that turns out malformed is withdrawn, and its text is shown', async () => {
  const malformed: Delta = { content: '<call', malformed_tool_call: { index: 0, text: '<call' } };
  const { engine, asked } = engineOf([call(0, 'a', 'double'), malformed]);
  const conversation = new Conversation();
  conversation.ask('Hi');
  const { events } = await answered(conversation, engine, [double]);
  expect(events.slice(1, 3)).toEqual([
    { kind: 'withdrawn', key: '1:a' },
    { kind: 'text', text: '<call' },
  ]);
  expect(asked).toHaveLength(1);
});

test('a stopped answer keeps what was said', async () => {
  const { engine, asked } = engineOf(['a', 'b', 'c']);
  const conversation = new Conversation();
  conversation.ask('Hi');
  const { outcome } = await answered(conversation, engine, [], (event) => {
    if (event.kind === 'text' && event.text === 'b') conversation.stop();
  });
  expect(outcome).toEqual({ kind: 'stopped' });
  expect(conversation.busy).toBe(false);
  conversation.ask('More');
  await answered(conversation, engine);
  expect(roles(asked[1])).toEqual(['user: Hi', 'assistant: ab', 'user: More']);
});

test('stopping while a tool runs leaves no call without its result', async () => {
  const { engine, asked } = engineOf(
    ['Wait.', call(0, 'a', 'hangs'), given(0, '{}'), call(1, 'b', 'double'), given(1, '{"n": 1}')],
    ['Next.'],
  );
  const hangs: RunnableTool = {
    type: 'function',
    function: { name: 'hangs', function: () => new Promise(() => undefined) },
  };
  const conversation = new Conversation();
  conversation.ask('Hi');
  const { outcome } = await answered(conversation, engine, [hangs, double], (event) => {
    if (event.kind === 'running') setTimeout(() => conversation.stop(), 5);
  });
  expect(outcome).toEqual({ kind: 'stopped' });
  conversation.ask('More');
  await answered(conversation, engine);
  expect(roles(asked[1])).toEqual(['user: Hi', 'assistant: Wait.', 'user: More']);
});

test('stopping in a later round keeps the rounds before it', async () => {
  const { engine, asked } = engineOf([call(0, 'a', 'double'), given(0, '{"n": 1}')], ['It ', 'is ', '2'], ['Next.']);
  const conversation = new Conversation();
  conversation.ask('Hi');
  await answered(conversation, engine, [double], (event) => {
    if (event.kind === 'text' && event.text === 'is ') conversation.stop();
  });
  conversation.ask('More');
  await answered(conversation, engine);
  expect(roles(asked[2])).toEqual([
    'user: Hi',
    'assistant: 1 calls',
    'tool: {"result":2}',
    'assistant: It is ',
    'user: More',
  ]);
});

test('an error is the outcome, and a question without an answer gives way to the next', async () => {
  const conversation = new Conversation();
  const error = new OutOfMemoryError('full');
  conversation.ask('Hi');
  const { outcome } = await answered(conversation, engineOf([error]).engine);
  expect(outcome).toEqual({ kind: 'failed', error });
  const { engine, asked } = engineOf(['ok']);
  conversation.ask('Other');
  await answered(conversation, engine);
  expect(roles(asked[0])).toEqual(['user: Other']);
});

test('an answer can be taken back and asked for again', async () => {
  const { engine, asked } = engineOf(['one']);
  const conversation = new Conversation();
  conversation.ask('Hi');
  for (let n = 0; n < 2; n += 1) {
    conversation.dropLastAnswer();
    await answered(conversation, engine);
  }
  expect(asked.map(roles)).toEqual([['user: Hi'], ['user: Hi']]);
});

test('clearing ends the answer, which then belongs to nothing', async () => {
  const { engine, asked } = engineOf(['a', 'b']);
  const conversation = new Conversation();
  conversation.ask('Hi');
  await answered(conversation, engine, [], () => conversation.clear());
  conversation.ask('New');
  await answered(conversation, engine);
  expect(roles(asked[1])).toEqual(['user: New']);
});
