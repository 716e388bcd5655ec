import { expect, test } from 'vitest';
import { collect, createTestEngine } from '../test/engine.js';
import type { FakePiece } from '../test/fake-wasm.js';
import { AbortedError, BadRequestError } from './errors.js';
import type { RunnableTool, RunToolsRequest, ToolRunEvent } from './run-tools.js';

const ASK = [{ role: 'user', content: 'ask' }] as const;

const call = (index: number, name: string, given: string): readonly FakePiece[] => [
  { type: 'tool_call', index, id: `call_${index}`, name },
  { type: 'tool_arguments', index, text: given },
];

const tool = (name: string, run: RunnableTool['function']['function']): RunnableTool => ({
  type: 'function',
  function: { name, parameters: { type: 'object' }, function: run },
});

const ADD = tool('add', ({ a, b }) => Number(a) + Number(b));

/** An engine that answers the last message by this table, and notes what it was asked. */
async function setUp(answers: Readonly<Record<string, readonly FakePiece[]>>) {
  const asked: Record<string, unknown>[] = [];
  const engine = await createTestEngine({
    answer: (last) => answers[last] ?? [`Told: ${last}`],
    onRequest: (request) => asked.push(request as Record<string, unknown>),
  });
  return { asked, engine, run: (request: RunToolsRequest) => engine.chat.completions.runTools(request) };
}

const results = (events: readonly ToolRunEvent[]) =>
  events.flatMap((event) => (event.type === 'result' ? [`${event.call.function.name}: ${event.content}`] : []));

test('what is called is executed, its result is given back, and the answer comes', async () => {
  const { asked, engine, run } = await setUp({ ask: ['Let me see.', ...call(0, 'add', '{"a": 2, "b": 3}')] });
  const running = run({ messages: ASK, tools: [ADD], temperature: 0 });
  const events = await collect(running);
  expect(results(events)).toEqual(['add: 5']);
  const rounds = events.map((event) => (event.type === 'chunk' ? `chunk ${event.round}` : event.type));
  expect([...new Set(rounds)]).toEqual(['chunk 1', 'result', 'chunk 2']);
  expect(running.messages).toEqual([
    ...ASK,
    {
      role: 'assistant',
      content: 'Let me see.',
      refusal: null,
      tool_calls: [{ id: 'call_0', type: 'function', function: { name: 'add', arguments: '{"a": 2, "b": 3}' } }],
    },
    { role: 'tool', tool_call_id: 'call_0', name: 'add', content: '5' },
    { role: 'assistant', content: 'Told: 5', refusal: null },
  ]);
  // The engine gets signatures, never functions; and every option, in each round.
  const signature = { type: 'function', function: { name: 'add', parameters: { type: 'object' } } };
  expect(asked).toHaveLength(2);
  for (const request of asked)
    expect(request).toMatchObject({ tools: [signature], temperature: 0, tool_choice: 'auto' });
  await engine.close();
});

test('a tool may be an async function of certain arguments', async () => {
  const { engine, run } = await setUp({ ask: call(0, 'hello', '{"name": "Ada"}') });
  const hello: RunnableTool = {
    type: 'function',
    function: { name: 'hello', strict: false, function: async ({ name }: { name: string }) => `Hello, ${name}!` },
  };
  expect(results(await collect(run({ messages: ASK, tools: [hello] })))).toEqual(['hello: Hello, Ada!']);
  await engine.close();
});

test('several calls run at once, and their results come in the order of the calls', async () => {
  const { engine, run } = await setUp({ ask: [...call(0, 'slow', '{}'), ...call(1, 'quick', '{}')] });
  const order: string[] = [];
  const slow = tool('slow', async () => {
    await new Promise((resolve) => setTimeout(resolve, 20));
    order.push('slow');
    return { done: true };
  });
  const quick = tool('quick', () => {
    order.push('quick');
  });
  const events = await collect(run({ messages: ASK, tools: [slow, quick] }));
  expect(order).toEqual(['quick', 'slow']);
  expect(results(events)).toEqual(['slow: {"done":true}', 'quick: null']);
  await engine.close();
});

test('what goes wrong in a tool is told to the model and ends nothing', async () => {
  const { engine, run } = await setUp({
    ask: [...call(0, 'throws', '{}'), ...call(1, 'rejects', '{}'), ...call(2, 'none', '{}'), ...call(3, 'add', '{')],
  });
  const throws = tool('throws', () => {
    throw new Error('no such city');
  });
  const rejects = tool('rejects', () => Promise.reject('just text'));
  const events = await collect(run({ messages: ASK, tools: [throws, rejects, ADD] }));
  expect(events.flatMap((event) => (event.type === 'result' ? [event.failed] : []))).toEqual([true, true, true, true]);
  expect(results(events).slice(0, 3)).toEqual([
    'throws: {"error":"no such city"}',
    'rejects: {"error":"just text"}',
    'none: {"error":"there is no tool none"}',
  ]);
  expect(results(events)[3]).toMatch(/^add: \{"error":".*JSON/);
  await engine.close();
});

test('the rounds are bounded: in the last no call is on offer', async () => {
  const { asked, engine, run } = await setUp({ ask: call(0, 'add', '{}'), again: call(0, 'add', '{}') });
  const again = tool('add', () => 'again');
  const events = await collect(run({ messages: ASK, tools: [again], maxRounds: 3, tool_choice: 'required' }));
  expect(asked.map(({ tool_choice }) => tool_choice)).toEqual(['required', 'auto', 'none']);
  expect(results(events)).toEqual(['add: again', 'add: again']);
  await engine.close();
});

test('an abort ends the run while a tool runs that does not heed it, and tells it', async () => {
  const { engine, run } = await setUp({ ask: call(0, 'hangs', '{}') });
  let told: AbortSignal | undefined;
  const hangs = tool('hangs', (_, { signal }) => {
    told = signal;
    return new Promise(() => undefined);
  });
  const controller = new AbortController();
  const running = run({ messages: ASK, tools: [hangs], signal: controller.signal });
  setTimeout(() => controller.abort(), 20);
  await expect(collect(running)).rejects.toBeInstanceOf(AbortedError);
  expect(told?.aborted).toBe(true);
  expect(running.messages.map(({ role }) => role)).toEqual(['user', 'assistant']);
  await engine.close();
});

test('an abort ends the answer under way, and leaving the loop ends the run', async () => {
  const { asked, engine, run } = await setUp({ ask: [...Array(1000).fill('x'), ...call(0, 'add', '{}')] });
  const running = run({ messages: ASK, tools: [ADD] });
  const reading = (async () => {
    for await (const _ of running) running.abort();
  })();
  await expect(reading).rejects.toBeInstanceOf(AbortedError);
  for await (const _ of run({ messages: ASK, tools: [ADD] })) break;
  // Both were begun, and none gave rise to another.
  await engine.counters();
  expect(asked).toHaveLength(2);
  await engine.close();
});

test('an answer that the filter ended calls nothing', async () => {
  const { engine, run } = await setUp({ ask: [...call(0, 'add', '{"a": 1, "b": 1}'), 'bad'] });
  const events = await collect(run({ messages: ASK, tools: [ADD], content_filter: (text) => text !== 'bad' }));
  expect(results(events)).toEqual([]);
  await engine.close();
});

test('a call that the token limit cut off is not executed', async () => {
  const cut: FakePiece = { type: 'malformed_call', index: 0, text: '<tool_call>{"name": "add"' };
  const { asked, engine, run } = await setUp({ ask: [...call(0, 'add', '{"a": 2'), cut, 'never said'] });
  const events = await collect(run({ messages: ASK, tools: [ADD], max_tokens: 3 }));
  expect(results(events)).toEqual([]);
  expect(asked).toHaveLength(1);
  await engine.close();
});

test('a run is iterated once, and its request has tools that can be called', async () => {
  const { engine, run } = await setUp({});
  const running = run({ messages: ASK, tools: [ADD] });
  await collect(running);
  await expect(collect(running)).rejects.toBeInstanceOf(BadRequestError);
  const untyped = (request: unknown) => () => run(request as RunToolsRequest);
  const signature = { type: 'function', function: { name: 'add' } };
  for (const request of [null, {}, { messages: ASK }, { messages: ASK, tools: [signature] }]) {
    expect(untyped(request)).toThrow(BadRequestError);
  }
  expect(untyped({ messages: ASK, tools: [ADD], maxRounds: 0 })).toThrow(BadRequestError);
  await engine.close();
});
