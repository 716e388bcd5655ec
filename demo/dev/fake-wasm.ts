/** In place of `inglenook_wasm.js`: the strict stand-in of the package's own tests, talkative and as slow as a small GPU. */

import { type FakePiece, fakeModule, wasmError } from '../../npm/test/fake-wasm.js';

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

const THOUGHT =
  'The user wants to know. First the one part, which is easy. Then the other, which is not, but can be done.';

/** Pieces of about a token. */
const pieces = (text: string) => text.match(/\s*\S{1,6}/g) ?? [];

function call(index: number, name: string, given: string): FakePiece[] {
  const texts = pieces(given).map((text): FakePiece => ({ type: 'tool_arguments', index, text }));
  return [{ type: 'tool_call', index, id: `call_${index}`, name }, ...texts];
}

function answer(last: string): readonly FakePiece[] {
  const told = /^\{"(time|result)":"?([^"}]*)"?\}$/.exec(last);
  if (told) return pieces(told[1] === 'time' ? `It is ${told[2]} there.` : `That makes **${told[2]}**.`);
  if (last.startsWith('{"error"')) return pieces('One of them failed.');
  if (last.includes('time')) return call(0, 'get_time', '{"city": "Tokyo"}');
  if (last.includes('318')) return call(0, 'calculate', '{"expression": "318 * 47"}');
  if (last.includes('dice')) return [...call(0, 'roll_dice', '{"sides": 20}'), ...call(1, 'roll_dice', '{"sides": 0}')];
  if (last.includes('17 + 25')) return ['17', ' +', ' 25', ' is', ' **', '42', '**', '.'];
  if (last.includes('opposite')) return ['The', ' opposite', ' of', ' hot', ' is', ' cold', '.'];
  if (last.includes('think')) {
    return [...pieces(THOUGHT).map((text): FakePiece => ({ type: 'reasoning', text })), ...pieces('So: yes.')];
  }
  if (last.startsWith('error ')) {
    const [, name = 'Internal'] = last.split(' ');
    throw wasmError(name, 'What happened, in a sentence. What to do about it, in another.');
  }
  return pieces(STORY);
}

export const { WasmEngine } = fakeModule({ answer, delay: 150, groupSize: 4, loadDelay: 60, pieceSize: 1 << 19 });

export default async function init(): Promise<void> {}
