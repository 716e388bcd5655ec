/** Engines on the stand-ins, as tests want them. */

import { type CreateEngineOptions, createEngineOn } from '../src/create-engine.js';
import type { Engine } from '../src/engine.js';
import type { GrammarWorker } from '../src/grammar-worker.js';
import type { Platform } from '../src/host.js';
import { type InspectOptions, inspectOn, type ModelInspection } from '../src/inspect.js';
import { openPageStoreInNode } from '../src/node/page-store.js';
import type { HostPort } from '../src/protocol.js';
import { openFiles } from '../src/source/files.js';
import { openModel } from '../src/source/open.js';
import type { ConvertModule, GrammarModule, WasmModule } from '../src/wasm.js';
import { fakeModelFile } from './bytes.js';
import { fakeConvertModule } from './fake-convert.js';
import { fakeGrammarModule } from './fake-grammar.js';
import { type FakeOptions, fakeModule } from './fake-wasm.js';
import { messagePort } from './message-port.js';

/** The file that these engines load. */
export const MODEL = new Blob([fakeModelFile(2_500_001)]);

/** What the platform has that is not as usual. */
interface TestPlatformOptions {
  readonly loadGrammarModule?: () => Promise<GrammarModule>;
  readonly loadConvertModule?: () => Promise<ConvertModule>;
  readonly readText?: () => Promise<string>;
  readonly startGrammars?: () => Promise<GrammarWorker | undefined>;
}

/** What is not as usual. */
export interface TestEngineOptions extends Partial<CreateEngineOptions>, TestPlatformOptions {
  readonly openPort?: (platform: Platform) => HostPort;
}

/** An engine on a stand-in that behaves like this, or on this module. */
export function createTestEngine(
  fake: FakeOptions | WasmModule = {},
  { openPort = messagePort, ...options }: TestEngineOptions = {},
): Promise<Engine> {
  const [platform, rest] = testPlatform(fake, options);
  return createEngineOn(() => openPort(platform), { model: MODEL, ...rest }, 'http://127.0.0.1/');
}

/** A model inspected by a stand-in that behaves like this. */
export function inspectTestModel(
  source: CreateEngineOptions['model'],
  fake: FakeOptions = {},
  {
    openPort = messagePort,
    ...options
  }: TestPlatformOptions & InspectOptions & Pick<TestEngineOptions, 'openPort'> = {},
): Promise<ModelInspection> {
  const [platform, rest] = testPlatform(fake, options);
  return inspectOn(() => openPort(platform), source, rest, 'http://127.0.0.1/');
}

/** A platform of stand-ins, and what is left of the options. */
function testPlatform<Options extends TestPlatformOptions>(fake: FakeOptions | WasmModule, options: Options) {
  const { loadGrammarModule, loadConvertModule, readText, startGrammars, ...rest } = options;
  const module = 'WasmEngine' in fake ? fake : fakeModule(fake);
  const platform: Platform = {
    loadModule: async () => module,
    loadGrammarModule: loadGrammarModule ?? (async () => fakeGrammarModule().module),
    loadConvertModule: loadConvertModule ?? (async () => fakeConvertModule().module),
    compile: async () => ({}) as WebAssembly.Module,
    readText: readText ?? (async () => '{}'),
    openFiles,
    openModel,
    openPageStore: openPageStoreInNode,
    shared: false,
    cores: 1,
    ...(startGrammars && { startThread: startGrammars as NonNullable<Platform['startThread']> }),
  };
  return [platform, rest] as const;
}

/** All that something yields. */
export async function collect<T>(all: AsyncIterable<T>): Promise<T[]> {
  const items: T[] = [];
  for await (const item of all) items.push(item);
  return items;
}
