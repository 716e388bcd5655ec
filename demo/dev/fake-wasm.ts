/** In place of `inglenook_wasm.js`: the strict stand-in of the package's own tests, talkative and as slow as a small GPU. */

import { fakeModule, wasmError } from '../../npm/test/fake-wasm.js';

const STORY = `Once upon a time there was a fox who lived by a **warm fire**. One day she found a red ball in the snow. She took it home and was happy.

1. It was red.
2. It was *round*.

| day | finds |
|---|---|
| Monday | a ball |
| Tuesday | \`two\` sticks |

\`\`\`js
const fox = { warm: true };
if (fox.warm) console.log("a line of code that is long enough to need scrolling on a phone's narrow screen");
\`\`\`

> The fire never went out.

See [the fox](https://example.org/fox) and <b onclick="alert(1)">no HTML</b>.`;

function answer(last: string): string[] {
  if (last.includes('17 + 25')) return ['17', ' +', ' 25', ' is', ' **', '42', '**', '.'];
  if (last.includes('opposite')) return ['The', ' opposite', ' of', ' hot', ' is', ' cold', '.'];
  if (last.startsWith('error ')) {
    const [, name = 'Internal'] = last.split(' ');
    throw wasmError(name, 'What happened, in a sentence. What to do about it, in another.');
  }
  return STORY.match(/\s*\S{1,6}/g) ?? [];
}

export const { WasmEngine } = fakeModule({ answer, delay: 150, groupSize: 4, loadDelay: 60, pieceSize: 1 << 19 });

export default async function init(): Promise<void> {}
