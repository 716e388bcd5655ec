import { readFileSync } from 'node:fs';
import { expect, test } from 'vitest';
import { createTestEngine, inspectTestModel } from '../test/engine.js';
import type { FakePiece } from '../test/fake-wasm.js';
import * as library from './public.js';

const README = new URL('../../README.md', import.meta.url);
const PACKAGE_README = new URL('../README.md', import.meta.url);

/** What a model says to the examples. */
function answer(last: string): readonly FakePiece[] {
  if (last.includes('Who are you')) return ['{"name": "ember", ', '"skills": ["sums"]}'];
  if (!last.includes('Tokyo')) return ['An ', 'answer.'];
  return [
    { type: 'tool_call', index: 0, id: 'call_0', name: 'get_time' },
    { type: 'tool_arguments', index: 0, text: '{"city": "Tokyo"}' },
  ];
}

/** The JavaScript of a page, one example after the other. */
function examples(url: URL): string[] {
  return [...readFileSync(url, 'utf8').matchAll(/^```js\n(.*?)^```/gms)].map(([, code = '']) => code);
}

/** Runs an example in a function that has an `engine`, as its reader would have one. Gives what it has shown. */
async function run(code: string): Promise<string> {
  const shown: unknown[] = [];
  const show = (...values: unknown[]) => shown.push(...values);
  const createEngine = (options: object) => createTestEngine({ answer }, { ...options, model: new Blob(['GGUF']) });
  const Model = { inspect: (_: unknown, options: object) => inspectTestModel(new Blob(['GGUF']), {}, options) };
  const scope = {
    ...library,
    createEngine,
    Model,
    document: { body: { append: show } },
    console: { log: show },
    messages: [{ role: 'user', content: 'Hello' }],
    formal: new Blob(['GGUF']),
    brief: new Blob(['GGUF']),
    ...(code.includes('createEngine') || code.includes('Model.') ? {} : { engine: await createEngine({}) }),
  };
  const body = code.replace(/^import .*$/gm, '');
  const AsyncFunction = (async () => undefined).constructor as new (
    ...parts: string[]
  ) => (...args: unknown[]) => Promise<void>;
  await new AsyncFunction(...Object.keys(scope), body)(...Object.values(scope));
  return shown.join(' ');
}

test('there are examples', () => {
  expect(examples(README).length).toBeGreaterThanOrEqual(4);
  expect(examples(PACKAGE_README).length).toBeGreaterThanOrEqual(2);
});

for (const url of [README, PACKAGE_README]) {
  for (const code of examples(url)) {
    const [place] = url.pathname.split('/').slice(-2, -1);
    const title = code.split('\n').find((line) => line.includes('engine')) ?? code;
    test(`an example of ${place}/README.md runs: ${title.trim()}`, async () => {
      const shown = await run(code);
      if (code.includes('runTools'))
        expect(shown).toMatch(/get_time \{"city": "Tokyo"\} \d\d:\d\d:\d\d .*An\s+answer\./);
      else if (code.includes('stream: true') && code.includes('body.append')) expect(shown).toContain('answer.');
    });
  }
}
