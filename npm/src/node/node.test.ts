import { mkdir, mkdtemp, rm, writeFile } from 'node:fs/promises';
import { homedir, tmpdir } from 'node:os';
import { join, relative } from 'node:path';
import { pathToFileURL } from 'node:url';
import { afterEach, expect, test } from 'vitest';
import { expectBytes, pattern, readAt, readWhole } from '../../test/bytes.js';
import { BadFileError, DeploymentError, NoWebGpuError } from '../errors.js';
import { addressOf } from './address.js';
import { openModelInNode } from './file.js';
import { provideGpu } from './gpu.js';
import { loadGrammarModuleInNode, loadWasmInNode } from './wasm.js';

const given = Object.getOwnPropertyDescriptor(globalThis, 'navigator');

afterEach(() => {
  if (given === undefined) Reflect.deleteProperty(globalThis, 'navigator');
  else Object.defineProperty(globalThis, 'navigator', given);
});

const openUrl = (url: string) => openModelInNode({ kind: 'url', url }, new AbortController().signal);

test('a file on disk is read by ranges', async () => {
  const folder = await mkdtemp(join(tmpdir(), 'inglenook-'));
  const path = join(folder, 'a model #1.gguf');
  const bytes = pattern(100_003);
  await writeFile(path, bytes);
  const source = await openUrl(pathToFileURL(path).href);
  expect(source.size).toBe(bytes.length);
  expectBytes(await readAt(source, 31, 1757), bytes.subarray(31, 31 + 1757));
  expect(await readAt(source, bytes.length + 1, 10)).toHaveLength(0);
  expectBytes(await readWhole(source, 4096), bytes);
  source.close?.();
  await rm(folder, { recursive: true });
});

test('a file that is not there is named', async () => {
  const opening = openUrl('file:///no/such/model.gguf');
  await expect(opening).rejects.toBeInstanceOf(BadFileError);
  await expect(opening).rejects.toThrow('/no/such/model.gguf');
});

test.each([loadWasmInNode, loadGrammarModuleInNode])(
  'a module of the package that is not there is named',
  async (load) => {
    const loading = load('file:///no/such/inglenook.wasm');
    await expect(loading).rejects.toBeInstanceOf(DeploymentError);
    await expect(loading).rejects.toThrow('/no/such/inglenook.wasm');
  },
);

test.each([
  'plain.gguf',
  'a #1.gguf',
  'what?.gguf',
  'what?v=1#2.gguf',
  '100%.gguf',
  '%41.gguf',
  'a b.gguf',
  'C:\\models\\x.gguf',
  'hf:owner.gguf',
  'ünï·🔥.gguf',
  'ember.gguf',
])('path is opened as it is when it is %s', async (name) => {
  const folder = await mkdtemp(join(tmpdir(), 'inglenook-'));
  const path = join(folder, name);
  await writeFile(path, name);
  for (const given of [path, relative('.', path), pathToFileURL(path).href]) {
    const source = await openUrl(addressOf(given));
    expect(new TextDecoder().decode(await readWhole(source, 10))).toBe(name);
    source.close?.();
  }
  await rm(folder, { recursive: true });
});

test('drive of Windows is no scheme, and a tilde is the user\u2019s folder', () => {
  for (const path of ['C:\\models\\x.gguf', 'c:/models/x.gguf', 'D:x.gguf']) {
    expect(addressOf(path)).toBe(pathToFileURL(path).href);
  }
  expect(addressOf('~/x.gguf')).toBe(pathToFileURL(join(homedir(), 'x.gguf')).href);
  expect(addressOf('~x.gguf')).toBe(pathToFileURL('~x.gguf').href);
  const urls = ['ember', 'https://host/x.gguf?a#b', 'HTTP://host/x', 'file:///x%20y.gguf', 'data:,x', 'ftp://host/x'];
  for (const url of urls) expect(addressOf(url)).toBe(url);
});

test('folder is named as one', async () => {
  const folder = await mkdtemp(join(tmpdir(), 'inglenook-'));
  await mkdir(join(folder, 'model.gguf'));
  for (const path of [folder, `${folder}/`, join(folder, 'model.gguf')]) {
    const opening = openUrl(addressOf(path));
    await expect(opening).rejects.toBeInstanceOf(BadFileError);
    await expect(opening).rejects.toThrow('is a folder. Name the .gguf file in it.');
  }
  await rm(folder, { recursive: true });
});

test.each([
  ['file:///no/such#1.gguf', 'written as %23'],
  ['file:///no/such?1.gguf', 'written as %3F'],
  ['file:///a%2Fb.gguf', 'cannot be opened'],
  ['file:///a%00b.gguf', 'cannot be opened'],
  ['file:///dev/null', 'is no regular file'],
])('file: URL %s is refused with a reason', async (url, reason) => {
  const opening = openUrl(url);
  await expect(opening).rejects.toBeInstanceOf(BadFileError);
  await expect(opening).rejects.toThrow(reason);
});

test('a WebGPU that is there already is left alone', async () => {
  const gpu = {};
  Object.defineProperty(globalThis, 'navigator', { value: { gpu }, configurable: true });
  await provideGpu();
  expect((globalThis.navigator as unknown as { gpu: unknown }).gpu).toBe(gpu);
});

test('without WebGPU, and without the package for it, the error says what to install', async () => {
  Object.defineProperty(globalThis, 'navigator', { value: {}, configurable: true });
  await expect(provideGpu()).rejects.toBeInstanceOf(NoWebGpuError);
  await expect(provideGpu()).rejects.toThrow('npm install webgpu');
});
