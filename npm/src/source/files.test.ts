import { expect, test } from 'vitest';
import { expectBytes, fakeModelFile } from '../../test/bytes.js';
import { createTestEngine } from '../../test/engine.js';
import { fakeConvertModule } from '../../test/fake-convert.js';
import { hostileServer } from '../../test/hostile-server.js';
import { BadFileError, BadRequestError, DownloadError } from '../errors.js';
import { beside, isPart, nameIn, openFiles } from './files.js';
import { virtualModel } from './virtual.js';

const WHOLE = fakeModelFile(300_001);
const PARTS = [WHOLE.subarray(0, 100_000), WHOLE.subarray(100_000)];
const signal = new AbortController().signal;

test('parts are told by their names, and files beside them are asked for alike', () => {
  for (const name of ['m-00001-of-00002.gguf', 'a-b-00003-of-00003.gguf']) expect(isPart(name)).toBe(true);
  for (const name of ['m.gguf', 'm-00001-of-00001.gguf', 'm-1-of-2.gguf', 'm-00001-of-00002.bin', '']) {
    expect(isPart(name)).toBe(false);
  }
  const url = 'https://host/a%20b/m-00001-of-00002.gguf?download=true#x';
  expect(nameIn(url)).toBe('m-00001-of-00002.gguf');
  expect(beside(url, 'm-00002-of-00002.gguf')).toBe('https://host/a%20b/m-00002-of-00002.gguf?download=true');
  expect(beside('https://host/f/', '1_Pooling/config #1.json')).toBe('https://host/f/1_Pooling/config%20%231.json');
  expect(nameIn('https://host/%E0%A4%A')).toBe('%E0%A4%A');
});

test('files that were picked are loaded as one model, and all is given back', async () => {
  const { module, log } = fakeConvertModule();
  const files = PARTS.map((part, at) => new File([part], `m-0000${at + 1}-of-00002.gguf`));
  const loaded: Uint8Array[] = [];
  const engine = await createTestEngine(
    { onLoad: (_, bytes) => loaded.push(bytes) },
    { model: files, loadConvertModule: async () => module },
  );
  expectBytes(loaded[0] as Uint8Array, WHOLE);
  await engine.close();
  expect(log).toEqual({ opened: 1, freed: 1, quantize: [undefined] });
});

test('one file of a list is a model by itself', async () => {
  const { module, log } = fakeConvertModule();
  const model = [new File([WHOLE], 'm.gguf')];
  await (await createTestEngine({}, { model, loadConvertModule: async () => module })).close();
  expect(log.opened).toBe(0);
});

test('a model that is to be converted goes through the module, and its draft does not', async () => {
  const { module, log } = fakeConvertModule();
  const options = { model: new Blob([WHOLE]), draft: new Blob([WHOLE]), loadConvertModule: async () => module };
  await (await createTestEngine({}, { ...options, quantize: 'q4_k' })).close();
  expect(log.quantize).toEqual(['q4_k']);
  const stream = new Blob([WHOLE]).stream();
  for (const wrong of [{ quantize: 4 as unknown as string }, { quantize: 'q4_k', model: stream }]) {
    await expect(createTestEngine({}, { ...options, ...wrong })).rejects.toBeInstanceOf(BadRequestError);
  }
});

test('the folder of an adapter is read for the model, whose header is read again', async () => {
  const { module, log } = fakeConvertModule();
  const folder = ['adapter_config.json', 'adapter_model.safetensors'].map((name) => new File([`<${name}>`], name));
  const loaded: [string, string][] = [];
  const onAdapter = (name: string, bytes: Uint8Array) => loaded.push([name, new TextDecoder().decode(bytes)]);
  const options = { adapters: { formal: folder }, loadConvertModule: async () => module };
  const engine = await createTestEngine({ onAdapter }, { ...options, model: new Blob([WHOLE]) });
  await engine.loadAdapter('brief', folder);
  const bytes = 'GGUF of <adapter_config.json><adapter_model.safetensors>';
  expect(loaded).toEqual([
    ['formal', bytes],
    ['brief', bytes],
  ]);
  await expect(engine.loadAdapter('empty', [])).rejects.toBeInstanceOf(BadRequestError);
  await engine.close();
  expect(log).toEqual({ opened: 2, freed: 2, quantize: [] });
  const stream = createTestEngine({}, { ...options, model: new Blob([WHOLE]).stream() });
  await expect(stream).rejects.toThrow('the adapter as a GGUF file');
});

test('files within a folder have names that begin behind it', async () => {
  const inFolder = (path: string) =>
    Object.defineProperty(new File(['{}'], 'config.json'), 'webkitRelativePath', { value: path });
  const { module } = fakeConvertModule();
  const names: (readonly string[] | undefined)[] = [];
  const { open } = module.WasmModelFile;
  module.WasmModelFile.open = (files, first) => {
    names.push(files.names);
    return open(files, first);
  };
  const model = [inFolder('qwen/config.json'), inFolder('qwen/1_Pooling/config.json')];
  await expect(createTestEngine({}, { model, loadConvertModule: async () => module })).rejects.toThrow('GGUF');
  expect(names).toEqual([['config.json', '1_Pooling/config.json']]);
});

test('lists of what are no files are refused', async () => {
  for (const model of [[], ['a.gguf'], [new Blob(['GGUF'])], new Uint8Array(4)]) {
    await expect(createTestEngine({}, { model: model as unknown as File[] })).rejects.toBeInstanceOf(BadRequestError);
  }
});

test('a URL of a part opens those beside it, and one with a slash at its end a folder', async () => {
  const server = await hostileServer(WHOLE);
  const { origin } = new URL(server.url);
  const parts = await openFiles({ kind: 'url', url: `${origin}/m-00002-of-00002.gguf` }, signal);
  expect([parts?.first, parts?.names]).toEqual(['m-00002-of-00002.gguf', undefined]);
  const source = await parts?.open('m-00001-of-00002.gguf');
  expect(source?.size).toBe(WHOLE.length);
  source?.close?.();
  const folder = await openFiles({ kind: 'url', url: `${origin}/folder/` }, signal);
  expect(folder?.first).toBeUndefined();
  server.faults.status = 404;
  expect(await folder?.open('config.json')).toBeUndefined();
  delete server.faults.status;
  server.faults.contentType = 'text/html';
  expect(await folder?.open('config.json')).toBeUndefined();
  server.faults.status = 403;
  await expect(folder?.open('config.json')).rejects.toBeInstanceOf(DownloadError);
  expect(await openFiles({ kind: 'url', url: server.url }, signal)).toBeUndefined();
  await server.close();
});

test('one file at a time keeps its connection', async () => {
  const { module } = fakeConvertModule();
  const paused: string[] = [];
  const names = ['a', 'b', 'c'];
  const open = async (name: string) => ({
    size: 1,
    readInto: async () => 1,
    pause: () => void paused.push(name),
  });
  await virtualModel(module, { names, open });
  // As they are opened, and again as they are read all at once.
  expect(paused).toEqual(['a', 'b', 'c', 'a', 'b']);
});

test('a part that is missing, and one that cannot be read, are told as they are', async () => {
  const { module } = fakeConvertModule();
  const loadConvertModule = async () => module;
  const server = await hostileServer(WHOLE);
  server.faults.status = 404;
  const model = `${new URL(server.url).origin}/m-00001-of-00002.gguf`;
  const missing = createTestEngine({}, { model, loadConvertModule });
  await expect(missing).rejects.toBeInstanceOf(BadFileError);
  await expect(missing).rejects.toThrow('m-00001-of-00002.gguf is missing');
  server.faults.status = 403;
  await expect(createTestEngine({}, { model, loadConvertModule })).rejects.toBeInstanceOf(DownloadError);
  await server.close();
});
