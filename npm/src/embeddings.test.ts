import { expect, test } from 'vitest';
import { createTestEngine as create } from '../test/engine.js';
import type { EmbeddingRequest } from './embeddings.js';
import { AbortedError, BadRequestError, EngineClosedError } from './errors.js';

test('embeddings have the shape of OpenAI', async () => {
  const engine = await create();
  const answer = await engine.embeddings.create({ input: ['warm', 'hot'], dimensions: 3, prompt_name: 'query' });
  expect(answer).toEqual({
    object: 'list',
    data: [
      { object: 'embedding', index: 0, embedding: [4, 1, 0.5] },
      { object: 'embedding', index: 1, embedding: [3, 1, 0.5] },
    ],
    model: 'ember',
    usage: { prompt_tokens: 7, total_tokens: 7 },
  });
});

test('input may be a text, or token ids in lists and typed arrays', async () => {
  const engine = await create();
  const ids = [5, 6, 7, 8];
  const inputs: EmbeddingRequest['input'][] = ['warm', ids, [ids], Uint32Array.from(ids), [Uint32Array.from(ids)]];
  for (const input of inputs) {
    expect((await engine.embeddings.create({ input })).data).toEqual([
      { object: 'embedding', index: 0, embedding: [4, 1, 0.5] },
    ]);
  }
});

test('base64 is the bytes of the floats', async () => {
  const engine = await create();
  const { data } = await engine.embeddings.create({ input: ['a', 'warm'], encoding_format: 'base64' });
  const bytes = Uint8Array.from(atob(data[1]?.embedding ?? ''), (c) => c.charCodeAt(0));
  expect([...new Float32Array(bytes.buffer)]).toEqual([4, 1, 0.5]);
});

test('documents are ranked, the best first', async () => {
  const engine = await create();
  const documents = ['warm', { text: 'a warm hearth' }, 'hot'];
  expect(await engine.rerank({ query: 'warm', documents, top_n: 2, return_documents: true })).toEqual({
    results: [
      { index: 1, relevance_score: 0.13, document: { text: 'a warm hearth' } },
      { index: 0, relevance_score: 0.04, document: { text: 'warm' } },
    ],
    model: 'ember',
    usage: { total_tokens: 20 },
  });
  const { results } = await engine.rerank({ query: 'warm', documents });
  expect(results[0]).toEqual({ index: 1, relevance_score: 0.13 });
});

test('wrong requests are errors of their class', async () => {
  const engine = await create();
  await expect(engine.embeddings.create({ input: [] })).rejects.toThrow(BadRequestError);
  await expect(engine.embeddings.create(null as never)).rejects.toThrow(BadRequestError);
  await expect(engine.rerank({ query: 'warm' } as never)).rejects.toThrow(BadRequestError);
  const aborted = AbortSignal.abort();
  await expect(engine.embeddings.create({ input: 'a', signal: aborted })).rejects.toThrow(AbortedError);
  const controller = new AbortController();
  const waiting = engine.rerank({ query: 'a', documents: ['b'], signal: controller.signal });
  controller.abort();
  await expect(waiting).rejects.toThrow(AbortedError);
  await engine.close();
  await expect(engine.embeddings.create({ input: 'a' })).rejects.toThrow(EngineClosedError);
});
