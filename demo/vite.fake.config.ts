/** The page on stand-ins for the engine's modules, to work on its looks where none is built. Never part of `dist/`. */

import { fileURLToPath } from 'node:url';
import { defineConfig, mergeConfig } from 'vite';
import base from './vite.config.js';

const standIn = (name: string) => fileURLToPath(new URL(`dev/${name}.ts`, import.meta.url));

export default mergeConfig(
  base,
  defineConfig({
    build: { outDir: 'dist-fake' },
    resolve: {
      alias: [
        { find: /^.*\/worker-port\.js$/, replacement: standIn('fake-port') },
        { find: /^.*\/inglenook_wasm\.js$/, replacement: standIn('fake-wasm') },
        { find: /^.*\/inglenook_grammar_wasm\.js$/, replacement: standIn('fake-grammar') },
      ],
    },
  }),
);
