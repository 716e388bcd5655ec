import { expect, test } from 'vitest';
import { createTestEngine } from '../test/engine.js';
import { fakeGrammarModule } from '../test/fake-grammar.js';
import { BadRequestError, DownloadError, EngineClosedError } from './errors.js';
import type { GrammarWorker } from './grammar-worker.js';
import { Grammars } from './grammars.js';
import { localPort } from './local-port.js';
import type { ChatCompletionRequest } from './openai/types.js';
import type { WasmEngine } from './wasm.js';

const ASK = { messages: [{ role: 'user', content: 'Hello' }] } as const;
const JSON_ONLY = { ...ASK, response_format: { type: 'json_object' } } as const satisfies ChatCompletionRequest;
const TOOL = { type: 'function', function: { name: 'now' } } as const;

/** An engine that counts how often the module is loaded; `failures` of these loads fail. */
async function setUp({ failures = 0, delay = 0, options = {} } = {}) {
  const { module, log } = fakeGrammarModule();
  const counts = { loads: 0, tokenizersFreed: 0 };
  const engine = await createTestEngine(
    { answer: () => ['{', '}'], onTokenizerFree: () => (counts.tokenizersFreed += 1) },
    {
      ...options,
      loadGrammarModule: async () => {
        counts.loads += 1;
        await new Promise((resolve) => setTimeout(resolve, delay));
        if (counts.loads <= failures) throw new DownloadError('It could not be loaded. Ask again.');
        return module;
      },
    },
  );
  return { engine, log, counts };
}

test('nothing is loaded before an answer has a form', async () => {
  const { engine, counts } = await setUp();
  await engine.chat.completions.create(ASK);
  await engine.chat.completions.create({ ...ASK, response_format: { type: 'text' } });
  await engine.chat.completions.create({ ...ASK, tools: [TOOL] });
  await engine.chat.completions.create({ ...ASK, tools: [TOOL], tool_choice: 'none' });
  expect(counts.loads).toBe(0);
  await engine.chat.completions.create(JSON_ONLY);
  expect(counts.loads).toBe(1);
  await engine.close();
});

test.each([
  { tools: [TOOL], tool_choice: 'required' },
  { tools: [TOOL], tool_choice: { type: 'function', function: { name: 'now' } } },
  { tools: [{ type: 'function', function: { name: 'now', strict: true } }] },
] as const)('calls that must be right are held to a grammar: %j', async (options) => {
  const { engine, log } = await setUp();
  await engine.chat.completions.create({ ...ASK, ...options });
  expect(log.compiled).toHaveLength(1);
  await engine.close();
});

test('requests at the same time share one load, and later ones need none', async () => {
  const { engine, log, counts } = await setUp({ delay: 20 });
  const create = () => engine.chat.completions.create(JSON_ONLY);
  const answers = await Promise.all([create(), create(), create()]);
  answers.push(await create());
  expect(answers.map(({ choices }) => choices[0].message.content)).toEqual(['{}', '{}', '{}', '{}']);
  expect(counts.loads).toBe(1);
  expect(log.made).toBe(1);
  expect(log.compiled).toHaveLength(4);
  await engine.close();
});

test('a failed load is the error of all that waited, and the next request tries again', async () => {
  const { engine, counts } = await setUp({ failures: 1, delay: 10 });
  const waiting = [engine.chat.completions.create(JSON_ONLY), engine.chat.completions.create(JSON_ONLY)];
  for (const answer of await Promise.allSettled(waiting)) {
    expect(answer).toMatchObject({ status: 'rejected', reason: expect.any(DownloadError) });
  }
  // What needs no grammar is not held up.
  await engine.chat.completions.create(ASK);
  const answer = await engine.chat.completions.create(JSON_ONLY);
  expect(answer.choices[0].message.content).toBe('{}');
  expect(counts.loads).toBe(2);
  await engine.close();
});

test('a schema that cannot be held to is an error before the first word', async () => {
  const { engine } = await setUp();
  const answer = engine.chat.completions.create({
    ...ASK,
    response_format: { type: 'json_schema', json_schema: { name: 'x', schema: { unsupported: true } } },
  });
  await expect(answer).rejects.toBeInstanceOf(BadRequestError);
  await expect(answer).rejects.toThrow('`unsupported`');
  await engine.close();
});

test('an abort while the module loads ends the request and begins no answer', async () => {
  const { engine, log } = await setUp({ delay: 50 });
  const controller = new AbortController();
  const answer = engine.chat.completions.create({ ...JSON_ONLY, signal: controller.signal });
  setTimeout(() => controller.abort(), 10);
  await expect(answer).rejects.toMatchObject({ code: 'Aborted' });
  await engine.chat.completions.create(JSON_ONLY);
  expect(log.compiled).toHaveLength(1);
  await engine.close();
});

for (const [name, openPort] of [
  ['messages', undefined],
  ['the same thread', localPort],
] as const) {
  test(`closing gives the memory in both modules back, over ${name}`, async () => {
    const { engine, log, counts } = await setUp({ options: openPort ? { openPort } : {} });
    await engine.chat.completions.create(JSON_ONLY);
    await engine.close();
    expect([log.freed, counts.tokenizersFreed]).toEqual([1, 1]);
  });
}

test('closing while the module loads leaves nothing behind', async () => {
  const { engine, log, counts } = await setUp({ delay: 30 });
  const answer = engine.chat.completions.create(JSON_ONLY);
  answer.catch(() => undefined);
  await new Promise((resolve) => setTimeout(resolve, 10));
  await engine.close();
  await expect(answer).rejects.toBeInstanceOf(EngineClosedError);
  await new Promise((resolve) => setTimeout(resolve, 40));
  expect([log.made, log.freed, counts.tokenizersFreed]).toEqual([0, 0, 0]);
});

test('a worker that tells of its end while it is ended is given back once', async () => {
  let freed = 0;
  const worker: GrammarWorker = {
    postMessage: () => undefined,
    onmessage: null,
    onerror: null,
    terminate: () => worker.onerror?.({ message: 'it ended' } as ErrorEvent),
  };
  const engine = {
    tokenizer: () => ({ encode_bytes: () => new Uint32Array(), free: () => (freed += 1) }),
    vocabulary: () => new Uint8Array(),
    eos_tokens: () => new Uint32Array(),
    set_grammars: () => undefined,
  } as unknown as WasmEngine;
  const loadModule = () => Promise.reject(new Error('nobody asks for it'));
  const grammars = new Grammars({ loadModule, startWorker: async () => worker });
  await grammars.provide(engine);
  grammars.close();
  expect(freed).toBe(1);
});
