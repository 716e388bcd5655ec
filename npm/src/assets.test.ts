import { expect, test } from 'vitest';
import { assetsIn } from './assets.js';
import { BadRequestError } from './errors.js';

const PAGE = 'https://app.example/chat/index.html';
const WASM = 'inglenook.wasm';

test('by default the files lie in a folder beside the module', () => {
  const { wasm, worker, ember, shaders, grammarWasm, convertWasm, cpuWasm, cpuRelaxedWasm } = assetsIn(undefined, PAGE);
  const folder = new URL('./inglenook/', import.meta.url).href;
  const names = [
    `${folder}inglenook.wasm`,
    `${folder}worker.js`,
    `${folder}ember-q8_0.gguf`,
    `${folder}shaders.txt`,
    `${folder}inglenook-grammar.wasm`,
    `${folder}inglenook-convert.wasm`,
    `${folder}inglenook-cpu.wasm`,
    `${folder}inglenook-cpu-relaxed.wasm`,
  ];
  expect([wasm, worker, ember, shaders, grammarWasm, convertWasm, cpuWasm, cpuRelaxedWasm]).toEqual(names);
});

test.each([
  ['static', `https://app.example/chat/static/${WASM}`],
  ['static/', `https://app.example/chat/static/${WASM}`],
  ['/ai files/', `https://app.example/ai%20files/${WASM}`],
  ['https://cdn.example/inglenook@0.1.0', `https://cdn.example/inglenook@0.1.0/${WASM}`],
  [new URL('https://cdn.example/a/'), `https://cdn.example/a/${WASM}`],
])('assetsUrl names a folder, with or without a slash at its end: %s', (folder, expected) => {
  expect(assetsIn(folder, PAGE).wasm).toBe(expected);
});

test('an assetsUrl that is no address is refused by name', () => {
  expect(() => assetsIn('https://', PAGE)).toThrow(BadRequestError);
  expect(() => assetsIn('https://', PAGE)).toThrow('assetsUrl');
});
