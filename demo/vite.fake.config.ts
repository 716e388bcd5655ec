/** The page on a stand-in for the engine, to work on its looks where no module is built. Never part of `dist/`. */

import { fileURLToPath } from 'node:url';
import { defineConfig, mergeConfig } from 'vite';
import base from './vite.config.js';

const standIn = fileURLToPath(new URL('dev/fake-wasm.ts', import.meta.url));

export default mergeConfig(
  base,
  defineConfig({
    build: { outDir: 'dist-fake' },
    resolve: { alias: [{ find: /^.*\/inglenook_wasm\.js$/, replacement: standIn }] },
  }),
);
