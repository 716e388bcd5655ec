/** Engines on the stand-ins, as tests want them. */

import { type CreateEngineOptions, createEngineOn } from '../src/create-engine.js';
import type { Engine } from '../src/engine.js';
import type { GrammarWorker } from '../src/grammar-worker.js';
import type { Platform } from '../src/host.js';
import { openPageStoreInNode } from '../src/node/page-store.js';
import type { HostPort } from '../src/protocol.js';
import { openModel } from '../src/source/open.js';
import type { GrammarModule, WasmModule } from '../src/wasm.js';
import { fakeModelFile } from './bytes.js';
import { fakeGrammarModule } from './fake-grammar.js';
import { type FakeOptions, fakeModule } from './fake-wasm.js';
import { messagePort } from './message-port.js';

/** The file that these engines load. */
export const MODEL = new Blob([fakeModelFile(2_500_001)]);

/** What is not as usual. */
export interface TestEngineOptions extends Partial<CreateEngineOptions> {
  readonly openPort?: (platform: Platform) => HostPort;
  readonly loadGrammarModule?: () => Promise<GrammarModule>;
  readonly readText?: () => Promise<string>;
  readonly startGrammars?: () => Promise<GrammarWorker | undefined>;
}

/** An engine on a stand-in that behaves like this, or on this module. */
export function createTestEngine(
  fake: FakeOptions | WasmModule = {},
  { openPort = messagePort, loadGrammarModule, readText, startGrammars, ...options }: TestEngineOptions = {},
): Promise<Engine> {
  const module = 'WasmEngine' in fake ? fake : fakeModule(fake);
  const platform: Platform = {
    loadModule: async () => module,
    loadGrammarModule: loadGrammarModule ?? (async () => fakeGrammarModule().module),
    compile: async () => ({}) as WebAssembly.Module,
    readText: readText ?? (async () => '{}'),
    openModel,
    openPageStore: openPageStoreInNode,
    shared: false,
    cores: 1,
    ...(startGrammars && { startThread: startGrammars as NonNullable<Platform['startThread']> }),
  };
  return createEngineOn(() => openPort(platform), { model: MODEL, ...options }, 'http://127.0.0.1/');
}

/** All that something yields. */
export async function collect<T>(all: AsyncIterable<T>): Promise<T[]> {
  const items: T[] = [];
  for await (const item of all) items.push(item);
  return items;
}
