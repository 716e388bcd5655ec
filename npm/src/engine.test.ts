import { expect, test } from 'vitest';
import { collect, createTestEngine as create, MODEL } from '../test/engine.js';
import { FAKE_END, FAKE_INFO, fakeModule } from '../test/fake-wasm.js';
import { messagePort } from '../test/message-port.js';
import {
  AbortedError,
  BadFileError,
  BadRequestError,
  EngineClosedError,
  InternalError,
  OutOfMemoryError,
} from './errors.js';
import { localPort } from './local-port.js';
import type { ChatCompletionChunk } from './openai/types.js';
import type { LoadProgress } from './progress.js';
import type { WasmReport } from './wasm.js';

const ASK = { messages: [{ role: 'user', content: 'Hello' }] } as const;
const WORDS = ['One', ' two', ' three', ' four', ' five', ' six', ' seven'];

const PORTS = { messages: messagePort, 'the same thread': localPort };

for (const [name, openPort] of Object.entries(PORTS)) {
  test(`a model loads and answers, over ${name}`, async () => {
    const engine = await create({ answer: () => WORDS }, { openPort });
    expect(engine.info).toEqual(FAKE_INFO);
    const answer = await engine.chat.completions.create(ASK);
    expect(answer).toEqual({
      id: expect.stringMatching(/^chatcmpl-/),
      object: 'chat.completion',
      created: expect.any(Number),
      model: 'ember',
      choices: [
        {
          index: 0,
          message: { role: 'assistant', content: 'One two three four five six seven', refusal: null },
          finish_reason: 'stop',
          logprobs: null,
        },
      ],
      usage: { prompt_tokens: 7, completion_tokens: 7, total_tokens: 14, prompt_tokens_details: { cached_tokens: 2 } },
      timings: { queue_ms: 0, prefill_ms: 12, decode_ms: 1 },
    });
    expect(await engine.countTokens('one two 🔥')).toBe(9);
    expect(await engine.counters()).toEqual({ dispatches: 3, submits: 1 });
    await engine.close();
  });

  test(`leaving the loop cancels the answer, over ${name}`, async () => {
    const engine = await create({ answer: () => Array(1000).fill('x'), delay: 5, groupSize: 1 }, { openPort });
    const seen: string[] = [];
    const begun = performance.now();
    for await (const { choices } of await engine.chat.completions.create({ ...ASK, stream: true })) {
      seen.push(choices[0]?.delta.content ?? '');
      if (seen.length === 4) break;
    }
    expect(seen).toEqual(['', 'x', 'x', 'x']);
    // The engine is free for the next answer; closing waits for nothing.
    await engine.close();
    expect(performance.now() - begun).toBeLessThan(1000);
  });
}

test('a stream yields the role, one chunk a piece, the finish reason, and the usage where asked for', async () => {
  const engine = await create({ answer: () => WORDS });
  const chunks = await collect(
    await engine.chat.completions.create({
      ...ASK,
      stream: true,
      max_tokens: 2,
      stream_options: { include_usage: true },
    }),
  );
  expect(chunks.map(({ choices, usage }) => ({ ...choices[0], usage }))).toEqual([
    { index: 0, delta: { role: 'assistant', content: '' }, finish_reason: null, logprobs: null, usage: null },
    { index: 0, delta: { content: 'One' }, finish_reason: null, logprobs: null, usage: null },
    { index: 0, delta: { content: ' two' }, finish_reason: null, logprobs: null, usage: null },
    { index: 0, delta: {}, finish_reason: 'length', logprobs: null, usage: null },
    { usage: expect.objectContaining({ completion_tokens: 2, total_tokens: 9 }) },
  ]);
  expect(chunks.at(-1)?.choices).toEqual([]);
  expect(chunks.at(-2)?.timings).toEqual({ queue_ms: 0, prefill_ms: 12, decode_ms: 1 });
  expect(new Set(chunks.map(({ id, object, model }) => `${id} ${object} ${model}`)).size).toBe(1);
  const plain = await collect(await engine.chat.completions.create({ ...ASK, stream: true }));
  expect(plain.every((chunk) => !('usage' in chunk))).toBe(true);
  await engine.close();
});

test('texts become tokens and tokens texts; special ones only where asked for', async () => {
  const engine = await create();
  expect(await engine.tokenize('é<|end|>')).toEqual(Uint32Array.from([0xe9, 60, 124, 101, 110, 100, 124, 62]));
  expect(await engine.tokenize('é<|end|>', { special: true })).toEqual(Uint32Array.of(0xe9, FAKE_END));
  expect(await engine.tokenize('a\ud800b')).toEqual(Uint32Array.of(97, 0xfffd, 98));
  expect(await engine.tokenizeWithOffsets('🔥a<|end|>', { special: true })).toEqual([
    { id: 0x1f525, start: 0, end: 2 },
    { id: 97, start: 2, end: 3 },
    { id: FAKE_END, start: 3, end: 10 },
  ]);
  expect(await engine.detokenize([0x1f525, FAKE_END])).toBe('🔥<|end|>');
  expect(await engine.detokenize(new Set([98, 97]))).toBe('ba');
  for (const wrong of [[1.5], [-1], [2 ** 32], [Number.NaN], [FAKE_END + 1]]) {
    await expect(engine.detokenize(wrong)).rejects.toBeInstanceOf(BadRequestError);
  }
  await expect(engine.tokenize(5 as unknown as string)).rejects.toBeInstanceOf(BadRequestError);
  await engine.close();
});

test('a request can be looked at as the prompt that it becomes', async () => {
  const engine = await create();
  const prompt = await engine.applyChatTemplate({ messages: [...ASK.messages, { role: 'assistant', content: null }] });
  expect(prompt).toBe('<user>Hello<assistant>');
  await expect(engine.applyChatTemplate({ messages: [] })).rejects.toBeInstanceOf(BadRequestError);
  await engine.close();
});

test('what a request holds crosses to the worker whatever it is', async () => {
  let asked: unknown;
  const engine = await create({ onRequest: (request) => (asked = request) });
  const parameters = { type: 'object', default: () => 5, note: 'a\ud800\\ud800' };
  await engine.chat.completions.create({ ...ASK, tools: [{ type: 'function', function: { name: 'f', parameters } }] });
  expect(asked).toEqual({
    ...ASK,
    tools: [{ type: 'function', function: { name: 'f', parameters: { type: 'object', note: 'a\ufffd\\ud800' } } }],
  });
  const endless: Record<string, unknown> = {};
  endless.again = endless;
  for (const value of [endless, { count: 1n }]) {
    const answer = engine.chat.completions.create({ ...ASK, chat_template_kwargs: value });
    await expect(answer).rejects.toBeInstanceOf(BadRequestError);
  }
  await engine.close();
});

test('a stream can be iterated once', async () => {
  const engine = await create();
  const stream = await engine.chat.completions.create({ ...ASK, stream: true });
  await collect(stream);
  expect(() => stream[Symbol.asyncIterator]()).toThrow(BadRequestError);
  await engine.close();
});

test('two answers at once do not mix', async () => {
  const engine = await create({ answer: (last) => Array(20).fill(last), delay: 1, groupSize: 3 });
  const ask = (content: string) => engine.chat.completions.create({ messages: [{ role: 'user', content }] });
  const [a, b] = await Promise.all([ask('a'), ask('b')]);
  expect(a.choices[0].message.content).toBe('a'.repeat(20));
  expect(b.choices[0].message.content).toBe('b'.repeat(20));
  await engine.close();
});

test('an abort ends a stream with an AbortError, whoever gives it', async () => {
  const engine = await create({ answer: () => Array(1000).fill('x'), delay: 5, groupSize: 1 });
  const controller = new AbortController();
  const bySignal = await engine.chat.completions.create({ ...ASK, stream: true, signal: controller.signal });
  const byMethod = await engine.chat.completions.create({ ...ASK, stream: true });
  for (const [stream, abort] of [
    [bySignal, () => controller.abort()],
    [byMethod, () => byMethod.abort()],
  ] as const) {
    const seen: ChatCompletionChunk[] = [];
    const reading = (async () => {
      for await (const chunk of stream) if (seen.push(chunk) === 3) abort();
    })();
    await expect(reading).rejects.toMatchObject({ name: 'AbortError', code: 'Aborted' });
    expect(seen).toHaveLength(3);
  }
  await engine.close();
});

test('an abort ends a whole answer too, also one that came too late to begin', async () => {
  const engine = await create({ answer: () => Array(1000).fill('x'), delay: 5, groupSize: 1 });
  const controller = new AbortController();
  const answer = engine.chat.completions.create({ ...ASK, signal: controller.signal });
  setTimeout(() => controller.abort(), 20);
  await expect(answer).rejects.toBeInstanceOf(AbortedError);
  await expect(engine.chat.completions.create({ ...ASK, signal: controller.signal })).rejects.toBeInstanceOf(
    AbortedError,
  );
  await engine.close();
});

test('an error of the engine keeps its class and message', async () => {
  const engine = await create();
  const empty = engine.chat.completions.create({ messages: [{ role: 'user', content: '' }] });
  await expect(empty).rejects.toBeInstanceOf(BadRequestError);
  await expect(empty).rejects.toThrow('The prompt is empty. Write something.');
  await engine.close();
});

test('an error in mid-answer comes after the text before it', async () => {
  const module = fakeModule();
  const engine = await create({
    WasmEngine: {
      ...module.WasmEngine,
      load: async (...given) =>
        Object.assign(await module.WasmEngine.load(...given), {
          submit: () => 1,
          events: async () =>
            JSON.stringify([
              { id: 1, event: { choice: 0, type: 'text', text: 'half' } },
              { id: 1, failed: { name: 'OutOfMemory', message: 'The GPU is full. Close other tabs.' } },
            ] satisfies WasmReport[]),
        }),
    },
  });
  const texts: (string | undefined)[] = [];
  const reading = (async () => {
    const stream = await engine.chat.completions.create({ ...ASK, stream: true });
    for await (const { choices } of stream) texts.push(choices[0]?.delta.content);
  })();
  await expect(reading).rejects.toBeInstanceOf(OutOfMemoryError);
  expect(texts).toEqual(['', 'half']);
});

test('loading passes on the options, every byte, and progress up to the end', async () => {
  const reports: LoadProgress[] = [];
  let given: unknown;
  let length = 0;
  const engine = await create(
    {
      onLoad: (options, bytes) => {
        given = options;
        length = bytes.length;
      },
    },
    {
      contextLength: 512,
      device: 'cpu',
      without: ['f16', 'dot4'],
      onProgress: (progress) => reports.push(progress),
    },
  );
  expect(given).toEqual({ context_length: 512, device: 'cpu', without: { f16: true, dot4: true } });
  expect(length).toBe(MODEL.size);
  expect(reports.at(-1)).toMatchObject({ stage: 'weights', loadedBytes: MODEL.size, totalBytes: MODEL.size });
  await engine.close();
});

test.each(['C:\\models\\x.gguf', 'hf:owner/model', 'ftp://host/x.gguf', 'http://'])(
  'address is refused before anything is loaded when it is %s',
  async (model) => {
    const creating = create({}, { model });
    await expect(creating).rejects.toBeInstanceOf(BadRequestError);
    await expect(creating).rejects.toThrow(model);
  },
);

test('a stream as the model is read through the port, and let go', async () => {
  let length = 0;
  const model = MODEL.stream() as ReadableStream<Uint8Array>;
  const engine = await create({ onLoad: (_, bytes) => (length = bytes.length) }, { model, size: MODEL.size });
  expect(length).toBe(MODEL.size);
  await engine.close();
});

test('load hands a draft model to the module beside the model', async () => {
  let drafted: Uint8Array | undefined;
  const draft = new Blob(['GGUF of a smaller one']);
  const engine = await create({ onLoad: (_options, _bytes, draft) => (drafted = draft) }, { draft });
  expect(new TextDecoder().decode(drafted)).toBe('GGUF of a smaller one');
  await engine.close();
});

test('adapters are loaded behind the model, and later ones beside it', async () => {
  const loaded: [string, string][] = [];
  const adapters = { formal: new Blob(['GGUF of one']), brief: new Blob(['GGUF of another']) };
  const onAdapter = (name: string, bytes: Uint8Array) => loaded.push([name, new TextDecoder().decode(bytes)]);
  let request: unknown;
  const engine = await create({ onAdapter, onRequest: (asked) => (request = asked) }, { adapters });
  expect(loaded).toEqual([
    ['formal', 'GGUF of one'],
    ['brief', 'GGUF of another'],
  ]);
  await engine.chat.completions.create({ ...ASK, lora: [{ name: 'formal', scale: 0.5 }] });
  expect(request).toMatchObject({ lora: [{ name: 'formal', scale: 0.5 }] });
  await expect(engine.loadAdapter('formal', adapters.brief)).rejects.toBeInstanceOf(BadRequestError);
  await engine.unloadAdapter('formal');
  await engine.loadAdapter('formal', adapters.brief);
  expect(loaded.at(-1)).toEqual(['formal', 'GGUF of another']);
  await expect(engine.loadAdapter('other', new Blob(['<html>']))).rejects.toBeInstanceOf(BadFileError);
  await expect(engine.loadAdapter('other', 42 as unknown as string)).rejects.toBeInstanceOf(BadRequestError);
  await expect(engine.unloadAdapter('other')).rejects.toBeInstanceOf(BadRequestError);
  await engine.close();
});

test('an adapter that cannot be loaded ends the load, and the engine is given back', async () => {
  let closed = 0;
  const loading = create({ onClose: () => (closed += 1) }, { adapters: { wrong: new Blob(['<html>']) } });
  await expect(loading).rejects.toBeInstanceOf(BadFileError);
  expect(closed).toBe(1);
});

test.each([
  ['a file that is no model', { model: new Blob(['<html>']) }, BadFileError],
  ['a model that is none', { model: 42 as unknown as string }, BadRequestError],
  ['an address that is none', { model: 'http://' }, BadRequestError],
  ['a draft model that is none', { draft: 42 as unknown as string }, BadRequestError],
  ['a draft model at no address', { draft: 'http://' }, BadRequestError],
  ['an adapter that is none', { adapters: { a: 42 as unknown as string } }, BadRequestError],
  ['an adapter at no address', { adapters: { a: 'http://' } }, BadRequestError],
  ['a context of no length', { contextLength: 0 }, BadRequestError],
  ['a worker that is no choice', { worker: 'https://app.example/worker.js' as unknown as boolean }, BadRequestError],
  ['files of the package at no address', { assetsUrl: 'https://' }, BadRequestError],
])('%s is refused when loading', async (_, options, Class) => {
  await expect(create({}, options)).rejects.toBeInstanceOf(Class);
});

test('an abort while loading rejects at once and ends the host', async () => {
  const controller = new AbortController();
  let port: ReturnType<typeof messagePort> | undefined;
  const loading = create(
    { loadDelay: 50, pieceSize: 100_000 },
    {
      signal: controller.signal,
      openPort: (platform) => {
        port = messagePort(platform);
        return port;
      },
    },
  );
  setTimeout(() => controller.abort(), 60);
  await expect(loading).rejects.toBeInstanceOf(AbortedError);
  expect(port?.terminated).toBe(1);
});

test('a failed load ends the host', async () => {
  let port: ReturnType<typeof messagePort> | undefined;
  await create(
    {},
    {
      model: new Blob(['no']),
      openPort: (platform) => {
        port = messagePort(platform);
        return port;
      },
    },
  ).catch(() => undefined);
  expect(port?.terminated).toBe(1);
});

test('closing ends what is under way, frees the engine once, and refuses what comes later', async () => {
  let closes = 0;
  let port: ReturnType<typeof messagePort> | undefined;
  const engine = await create(
    { answer: () => Array(1000).fill('x'), delay: 5, groupSize: 1, onClose: () => (closes += 1) },
    {
      openPort: (platform) => {
        port = messagePort(platform);
        return port;
      },
    },
  );
  const answer = engine.chat.completions.create(ASK);
  answer.catch(() => undefined);
  await new Promise((resolve) => setTimeout(resolve, 20));
  await Promise.all([engine.close(), engine.close()]);
  await engine.close();
  expect(closes).toBe(1);
  expect(port?.terminated).toBe(1);
  await expect(answer).rejects.toBeInstanceOf(EngineClosedError);
  await expect(engine.chat.completions.create(ASK)).rejects.toBeInstanceOf(EngineClosedError);
  await expect(engine.countTokens('a')).rejects.toBeInstanceOf(EngineClosedError);
});

test('a worker that dies fails what waits, with its words', async () => {
  let port: ReturnType<typeof messagePort> | undefined;
  const engine = await create(
    { answer: () => Array(1000).fill('x'), delay: 5 },
    {
      openPort: (platform) => {
        port = messagePort(platform);
        return port;
      },
    },
  );
  const answer = engine.chat.completions.create(ASK);
  port?.onCrash(new InternalError('out of stack'));
  await expect(answer).rejects.toMatchObject({ code: 'Internal', message: expect.stringContaining('out of stack') });
  await engine.close();
});
