/** What a host is given in browsers, in whichever thread it runs. */

import { compileAsset, readAsset } from './deployment.js';
import type { Platform } from './host.js';
import { loadConvertModule } from './load-convert.js';
import { loadGrammarModule } from './load-grammar.js';
import { loadWasm } from './load-wasm.js';
import { openPageStore } from './page-store.js';
import { openFiles } from './source/files.js';
import { openModel } from './source/open.js';

export const browserPlatform: Platform = {
  loadModule: loadWasm,
  loadGrammarModule,
  loadConvertModule,
  compile: compileAsset,
  readText: readAsset,
  openFiles,
  openModel,
  openPageStore,
  shared: globalThis.crossOriginIsolated === true,
  // The worker script runs in Node, too, where old versions have no navigator.
  cores: globalThis.navigator?.hardwareConcurrency || 1,
};
