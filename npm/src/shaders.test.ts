/** Shaders that are fetched on demand: from the file that is built, through the host, to where the GPU's backend puts their texts. */

import { afterEach, beforeEach, expect, test, vi } from 'vitest';
import { createTestEngine } from '../test/engine.js';
import { fakeModule, wasmError } from '../test/fake-wasm.js';
import { DeploymentError, DownloadError } from './errors.js';

/** What the tests use of `core/src/gpu/web.js`. */
interface Backend {
  provideShaders(fetch: () => Promise<string>): void;
  requestDevice(options: string): Promise<Client>;
}
interface Client {
  compile(label: string, text: string, keys: string, values: Float64Array, access: string): Promise<number>;
}

const BACKEND = new URL('../../core/src/gpu/web.js', import.meta.url).href;
let loads = 0;
/** The texts that the GPU was given. */
const compiled: string[] = [];
/** What its pipelines were made with. */
const pipelines: object[] = [];
let backend: Backend;
let client: Client;

beforeEach(async () => {
  const device = {
    limits: {},
    lost: new Promise(() => undefined),
    createBindGroupLayout: () => ({}),
    createPipelineLayout: () => ({}),
    pushErrorScope: () => undefined,
    popErrorScope: async () => null,
    createShaderModule: ({ code }: { code: string }) => compiled.push(code),
    createComputePipelineAsync: async ({ compute }: { compute: object }) => pipelines.push(compute),
  };
  const adapter = { features: new Set(), limits: {}, info: {}, requestDevice: async () => device };
  vi.stubGlobal('navigator', { gpu: { requestAdapter: async () => adapter } });
  // A module of its own for each test, since it keeps what it has fetched.
  loads += 1;
  backend = (await import(`${BACKEND}?${loads}`)) as Backend;
  client = await backend.requestDevice('');
  compiled.length = 0;
  pipelines.length = 0;
});

afterEach(() => vi.unstubAllGlobals());

const compile = (text: string) => client.compile('kernel', text, '', new Float64Array(), 'r');

test('a shader that imports gets the texts, which are fetched once', async () => {
  const fetch = vi.fn(async () => JSON.stringify({ one: 'fn a() {}\n', 'folder/two': 'fn b() { $& }\n' }));
  backend.provideShaders(fetch);
  await compile('fn plain() {}\n');
  expect(fetch).not.toHaveBeenCalled();
  await Promise.all([compile('x\n#import one\n#import folder/two\ny\n'), compile('#import one\n')]);
  expect(compiled).toEqual(['fn plain() {}\n', 'x\nfn a() {}\nfn b() { $& }\ny\n', 'fn a() {}\n']);
  expect(fetch).toHaveBeenCalledOnce();
});

test('constants are those that were given, whatever becomes of their memory until the texts have come', async () => {
  backend.provideShaders(async () => '{"one": "fn a() {}\\n"}');
  const values = new Float64Array([3, 5]);
  const compiling = client.compile('kernel', '#import one\n', 'ROWS COLS', values, 'r');
  values.fill(0);
  await compiling;
  expect(pipelines).toMatchObject([{ constants: { ROWS: 3, COLS: 5 } }]);
});

test('a failed fetch is told in its own words and tried again', async () => {
  backend.provideShaders(async () => Promise.reject(new DownloadError('no shaders.txt; check the connection')));
  const failed = { name: 'Shaders', message: 'no shaders.txt; check the connection' };
  await expect(compile('#import one\n')).rejects.toMatchObject(failed);
  backend.provideShaders(async () => '{"one": "fn a() {}\\n"}');
  await compile('#import one\n');
  expect(compiled).toEqual(['fn a() {}\n']);
});

test('a shader of another version is named', async () => {
  backend.provideShaders(async () => '{}');
  await expect(compile('#import one\n')).rejects.toThrow('the shader one is missing: serve all files of one version');
});

test('a load ends with the error of the fetch, whatever the module makes of it', async () => {
  const cause = new DeploymentError('HTTP 404 for shaders.txt');
  const { WasmEngine } = fakeModule({});
  const load: typeof WasmEngine.load = async (...given) => {
    await given[7]?.().catch((error: Error) => Promise.reject(wasmError('Download', error.message)));
    return WasmEngine.load(...given);
  };
  const loading = (readText: () => Promise<string>) =>
    createTestEngine({ WasmEngine: { ...WasmEngine, load } }, { readText });
  await expect(loading(() => Promise.reject(cause))).rejects.toBeInstanceOf(DeploymentError);
  await (await loading(async () => '{}')).close();
});
