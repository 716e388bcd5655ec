/** In place of `worker-port.js`, whose script is built already: a host on the stand-ins in the page's own thread. */

import { localPort } from '../../npm/src/local-port.js';
import { openPageStore } from '../../npm/src/page-store.js';
import type { HostPort } from '../../npm/src/protocol.js';
import { openFiles } from '../../npm/src/source/files.js';
import { openModel } from '../../npm/src/source/open.js';
import { WasmGrammars } from './fake-grammar.js';
import { WasmEngine } from './fake-wasm.js';

export function workerPort(): HostPort {
  return localPort({
    loadModule: async () => ({ WasmEngine }),
    loadGrammarModule: async () => ({ WasmGrammars }),
    loadConvertModule: () => Promise.reject(new Error('the stand-in shows one file alone')),
    compile: () => Promise.reject(new Error('the stand-in computes nothing')),
    readText: () => Promise.reject(new Error('the stand-in has no shaders')),
    openFiles,
    openModel,
    openPageStore,
    shared: false,
    cores: 1,
  });
}
