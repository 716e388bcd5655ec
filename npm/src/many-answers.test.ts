import { expect, test } from 'vitest';
import { collect, createTestEngine as create } from '../test/engine.js';
import { fakeModule, wasmError } from '../test/fake-wasm.js';
import type { Engine } from './engine.js';
import { AbortedError, BadRequestError, BusyError, EngineClosedError } from './errors.js';
import type { ChatCompletionChunk } from './openai/types.js';
import type { WasmEngine } from './wasm.js';

const question = (content: string) => ({ messages: [{ role: 'user', content }] }) as const;
const NEVER_DONE = { answer: () => Array(10_000).fill('x'), delay: 1, groupSize: 1 };

/** An engine whose module is as usual but for this, and the module itself. */
async function withModule(change: (engine: WasmEngine) => Partial<WasmEngine>, fake = {}) {
  const module = fakeModule(fake);
  let inner: WasmEngine | undefined;
  const load = async (...given: Parameters<typeof module.WasmEngine.load>) => {
    const loaded = await module.WasmEngine.load(...given);
    inner = Object.assign(loaded, change(loaded));
    return inner;
  };
  return { engine: await create({ WasmEngine: { ...module.WasmEngine, load } }), module: () => inner };
}

const whole = async (engine: Engine, content: string) =>
  (await engine.chat.completions.create(question(content))).choices[0].message.content;

test('answers that begin and end at different times are each complete', async () => {
  const engine = await create({ answer: (last) => Array(last.length).fill(last), delay: 1, groupSize: 2 });
  const questions = Array.from({ length: 24 }, (_, i) => String.fromCharCode(97 + i).repeat(1 + ((7 * i) % 11)));
  const answers = questions.map(async (content, i) => {
    await new Promise((resolve) => setTimeout(resolve, i));
    return whole(engine, content);
  });
  expect(await Promise.all(answers)).toEqual(questions.map((content) => content.repeat(content.length)));
  await engine.close();
});

test('close settles every answer, also those that nobody reads', async () => {
  const engine = await create(NEVER_DONE);
  const wholes = Array.from({ length: 20 }, () => engine.chat.completions.create(question('a')));
  const streams = await Promise.all(
    Array.from({ length: 20 }, () => engine.chat.completions.create({ ...question('a'), stream: true })),
  );
  const read = streams.slice(0, 10).map((stream) => collect(stream));
  const settled = Promise.allSettled([...wholes, ...read]);
  await new Promise((resolve) => setTimeout(resolve, 20));
  await engine.close();
  for (const end of await settled) {
    expect(end).toMatchObject({ status: 'rejected', reason: expect.any(EngineClosedError) });
  }
  const unread = streams.at(-1) as AsyncIterable<ChatCompletionChunk>;
  await expect(collect(unread)).rejects.toBeInstanceOf(EngineClosedError);
});

test('leaving a loop, aborting and a signal cancel the answer in the module, and the others go on', async () => {
  const cancelled: number[] = [];
  const { engine } = await withModule(
    (module) => {
      const cancel = module.cancel.bind(module);
      return {
        cancel: (id) => {
          cancelled.push(id);
          cancel(id);
        },
      };
    },
    { answer: () => Array(200).fill('x'), delay: 1, groupSize: 4 },
  );
  const other = whole(engine, 'other');
  const left = await engine.chat.completions.create({ ...question('left'), stream: true });
  for await (const { choices } of left) if (choices[0]?.delta.content === 'x') break;
  const aborted = await engine.chat.completions.create({ ...question('aborted'), stream: true });
  aborted.abort();
  await expect(collect(aborted)).rejects.toBeInstanceOf(AbortedError);
  const controller = new AbortController();
  const signalled = engine.chat.completions.create({ ...question('signalled'), signal: controller.signal });
  controller.abort();
  await expect(signalled).rejects.toBeInstanceOf(AbortedError);
  expect(await other).toBe('x'.repeat(200));
  expect(cancelled).toEqual([2, 3, 4]);
  await engine.close();
});

test('a full queue is a BusyError that says when to retry, and the answers under way go on', async () => {
  const busy = Object.assign(wasmError('Busy', '3 requests are waiting.'), { retryAfterMs: 750 });
  const { engine } = await withModule((module) => {
    const submit = module.submit.bind(module);
    let submitted = 0;
    return {
      submit: (request) => {
        submitted += 1;
        if (submitted > 1) throw busy;
        return submit(request);
      },
    };
  });
  const first = whole(engine, 'a');
  const refused = await engine.chat.completions.create(question('b')).catch((error: unknown) => error);
  expect(refused).toBeInstanceOf(BusyError);
  expect(refused).toMatchObject({ retryAfterMs: 750 });
  expect(await first).toBe('Hello!');
  await engine.close();
});

test('an engine that breaks ends all answers with its error, and the next is answered', async () => {
  let broken = true;
  const { engine } = await withModule((module) => {
    const events = module.events.bind(module);
    return { events: () => (broken ? Promise.reject(wasmError('Lost', 'The GPU is gone.')) : events()) };
  });
  const ends = await Promise.allSettled([whole(engine, 'a'), whole(engine, 'b')]);
  for (const end of ends) expect(end).toMatchObject({ status: 'rejected', reason: { code: 'Lost' } });
  broken = false;
  expect(await whole(engine, 'c')).toBe('Hello!');
  await engine.close();
});

test('an answer of several choices has each at its index, whole and in chunks', async () => {
  const engine = await create({ answer: () => ['a', 'b'] });
  const request = { ...question('three'), n: 3 };
  const completion = await engine.chat.completions.create(request);
  expect(completion.choices.map(({ index, message }) => [index, message.content])).toEqual([
    [0, 'ab'],
    [1, 'ab'],
    [2, 'ab'],
  ]);
  expect(completion.usage).toMatchObject({ prompt_tokens: 7, completion_tokens: 6, total_tokens: 13 });
  const chunks = await collect(await engine.chat.completions.create({ ...request, stream: true }));
  for (const index of [0, 1, 2]) {
    const own = chunks.flatMap(({ choices }) => choices.filter((choice) => choice.index === index));
    expect(own.map(({ delta }) => delta.content)).toEqual(['', 'a', 'b', undefined]);
    expect(own.map(({ finish_reason }) => finish_reason)).toEqual([null, null, null, 'stop']);
  }
  await engine.close();
});

test('a content filter that ends one choice leaves the others', async () => {
  const engine = await create({ answer: () => ['a ', 'b ', 'c '] });
  const { choices } = await engine.chat.completions.create({
    ...question('three'),
    n: 3,
    segment: 'word',
    content_filter: (segment, choice) => !(segment === 'b ' && choice === 1),
  });
  expect(choices.map(({ message, finish_reason }) => [message.content, finish_reason])).toEqual([
    ['a b c ', 'stop'],
    ['a ', 'content_filter'],
    ['a b c ', 'stop'],
  ]);
  await engine.close();
});

test('a run of tools has one answer a round', async () => {
  const engine = await create();
  const run = () => engine.chat.completions.runTools({ ...question('a'), tools: [], n: 2 });
  expect(run).toThrow(BadRequestError);
  await engine.close();
});
