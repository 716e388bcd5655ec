import { mkdtemp, readdir, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { expect, test } from 'vitest';
import { createTestEngine as create } from '../test/engine.js';
import { BadRequestError } from './errors.js';
import { openPageStoreInNode } from './node/page-store.js';
import { type PageFiles, pageStoreIn } from './page-store.js';

const name = (letter: string) => letter.repeat(64);
const [A, B, C, D] = [name('a'), name('b'), name('c'), name('d')];
const page = (bytes: number) => new Uint8Array(bytes).fill(7);

/** Files in memory, each older than the next. */
function filesOf(...names: string[]) {
  const files = new Map(names.map((name) => [name, page(10)]));
  const face: PageFiles = {
    list: async () => [...files].map(([name, { length }], modified) => ({ name, bytes: length, modified })).reverse(),
    read: async (name) => files.get(name),
    write: async (name, bytes) => void files.set(name, bytes.slice()),
    remove: async (name) => void files.delete(name),
  };
  return { files, face };
}

test('a store removes what was used least recently, and leaves other files alone', async () => {
  const { files, face } = filesOf('notes', A, B, C);
  const store = await pageStoreIn(face, 30);
  expect(await store.get(A)).toEqual(page(10));
  await store.put(D, page(10));
  expect([...files.keys()]).toEqual(['notes', A, C, D]);
  await store.put(D, page(20));
  expect([...files.keys()]).toEqual(['notes', A, D]);
});

test('a page larger than the store is not kept, and one that somebody removed is none', async () => {
  const { files, face } = filesOf(A);
  const store = await pageStoreIn(face, 15);
  files.delete(A);
  expect(await store.get(A)).toBeUndefined();
  await store.put(B, page(15));
  expect([...files.keys()]).toEqual([B]);
  await store.put(C, page(16));
  expect([...files.keys()]).toEqual([B]);
});

test('a folder on disk gives its pages to the next store in it', async () => {
  const folder = join(await mkdtemp(join(tmpdir(), 'pages-')), 'new');
  await (await openPageStoreInNode({ folder })).put(A, page(12));
  await writeFile(join(folder, 'notes.txt'), 'mine');
  const store = await openPageStoreInNode({ folder, maxBytes: 12 });
  expect(new Uint8Array((await store.get(A)) ?? [])).toEqual(page(12));
  expect(await store.get(B)).toBeUndefined();
  await store.put(B, page(12));
  expect(await readdir(folder)).toEqual([B, 'notes.txt']);
});

test('an engine stores its pages once no answer is under way, and when it is closed', async () => {
  const folder = await mkdtemp(join(tmpdir(), 'pages-'));
  const engine = await create({}, { pageStore: { folder } });
  await engine.chat.completions.create({ messages: [{ role: 'user', content: 'Hello' }] });
  const stored = async () => (await readdir(folder)).filter((name) => name === A);
  await expect.poll(stored).toEqual([A]);
  await rm(join(folder, A));
  await engine.close();
  expect(await stored()).toEqual([A]);
});

test('what no folder can be is refused', async () => {
  for (const pageStore of [{ folder: '' }, { folder: 'a', maxBytes: -1 }, { folder: 'a', maxBytes: Number.NaN }]) {
    await expect(create({}, { pageStore })).rejects.toBeInstanceOf(BadRequestError);
  }
});
