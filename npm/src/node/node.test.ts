import { mkdtemp, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { pathToFileURL } from 'node:url';
import { afterEach, expect, test } from 'vitest';
import { expectBytes, pattern, readAt, readWhole } from '../../test/bytes.js';
import { BadFileError, DeploymentError, NoWebGpuError } from '../errors.js';
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
