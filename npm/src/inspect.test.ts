import { expect, test } from 'vitest';
import { fakeModelFile } from '../test/bytes.js';
import { inspectTestModel as inspect, MODEL } from '../test/engine.js';
import { fakeConvertModule } from '../test/fake-convert.js';
import { HEADER_PIECE } from '../test/fake-wasm.js';
import { hostileServer } from '../test/hostile-server.js';
import { messagePort } from '../test/message-port.js';
import { AbortedError, BadFileError, BadRequestError } from './errors.js';
import { localPort } from './local-port.js';

for (const [name, openPort] of Object.entries({ messages: messagePort, 'the same thread': localPort })) {
  test(`a model is described as it was asked for, over ${name}`, async () => {
    const options = { contextLength: 1000, kvType: 'q8_0', bandwidth: 1e9 } as const;
    const told = await inspect(MODEL, {}, { ...options, openPort });
    expect(told).toMatchObject({ bytes: MODEL.size, canRun: true, problem: null, bandwidth: 1e9 });
    expect(told.model).toMatchObject({ name: 'ember', layers: 6 });
    expect(told.outlook).toMatchObject({ contextLength: 1000, kvType: 'q8_0' });
  });
}

test('a model that cannot be run is described, and says why', async () => {
  const problem = { code: 'Unsupported', message: 'models of the architecture `qwen4` are not supported yet' } as const;
  const told = await inspect(MODEL, { inspection: { problem, outlook: null, device: null } });
  expect(told).toMatchObject({ canRun: false, problem, outlook: null });
});

test('of a file on a server no more is fetched than is read of it', async () => {
  const server = await hostileServer(fakeModelFile(900_000));
  const told = await inspect(server.url);
  expect(told.bytes).toBe(900_000);
  expect(server.ranges).toEqual([`bytes=0-${HEADER_PIECE - 1}`]);
  expect(server.sent).toBe(HEADER_PIECE);
  await server.close();
});

test('the host is ended, and what it opened given back, whether it was described or not', async () => {
  const ports: ReturnType<typeof messagePort>[] = [];
  const openPort: typeof messagePort = (platform) => {
    const port = messagePort(platform);
    ports.push(port);
    return port;
  };
  const { module, log } = fakeConvertModule();
  const files = [new File(['GG'], 'm-00001-of-00002.gguf'), new File(['UF'], 'm-00002-of-00002.gguf')];
  expect((await inspect(files, {}, { openPort, loadConvertModule: async () => module })).bytes).toBe(4);
  await expect(inspect(new Blob(['no model']), {}, { openPort })).rejects.toBeInstanceOf(BadFileError);
  await expect.poll(() => log).toEqual({ opened: 1, freed: 1, quantize: [undefined] });
  expect(ports.map(({ terminated }) => terminated)).toEqual([1, 1]);
});

test('what a program got wrong, and what was aborted, is an error', async () => {
  for (const bandwidth of [0, -1, Number.NaN, Number.POSITIVE_INFINITY]) {
    await expect(inspect(MODEL, {}, { bandwidth })).rejects.toBeInstanceOf(BadRequestError);
  }
  await expect(inspect(MODEL, {}, { contextLength: 0 })).rejects.toBeInstanceOf(BadRequestError);
  await expect(inspect(5 as unknown as Blob)).rejects.toBeInstanceOf(BadRequestError);
  await expect(inspect(MODEL, {}, { signal: AbortSignal.abort() })).rejects.toBeInstanceOf(AbortedError);
});
