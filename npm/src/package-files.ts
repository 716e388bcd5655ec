/**
 * Where the package's files are by itself, or where a bundler has put them. Vite, webpack and Turbopack look for exactly the expression
 * `new URL('…', import.meta.url)`; they copy the file as it is and put its new address there. esbuild and Rollup leave the expression as
 * it is, so that the folder has to lie beside their output. So this module alone is published as it is written, and imports nothing.
 */

import type { Assets } from './assets.js';

/** Throws in scripts that are no modules, which have no `import.meta.url`. */
export function packageFiles(): Record<keyof Assets, URL> {
  return {
    worker: new URL('./inglenook/worker.js', import.meta.url),
    wasm: new URL('./inglenook/inglenook.wasm', import.meta.url),
    shaders: new URL('./inglenook/shaders.txt', import.meta.url),
    grammarWasm: new URL('./inglenook/inglenook-grammar.wasm', import.meta.url),
    convertWasm: new URL('./inglenook/inglenook-convert.wasm', import.meta.url),
    cpuWasm: new URL('./inglenook/inglenook-cpu.wasm', import.meta.url),
    cpuRelaxedWasm: new URL('./inglenook/inglenook-cpu-relaxed.wasm', import.meta.url),
    ember: new URL('./inglenook/ember-q8_0.gguf', import.meta.url),
  };
}
