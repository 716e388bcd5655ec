/** Writes `src/openai/sampling.ts` from the engine's own table, and the table of options in the README. */

import { readFileSync, writeFileSync } from 'node:fs';
import { samplingMarkdown, samplingMembers } from './field-table.js';

const sampling = `/** How tokens are chosen: see core/src/engine/request/sampling.json. Written by \`npm run fields\`. */

export interface SamplingOptions {
${samplingMembers().join('\n')}
}
`;
writeFileSync(new URL('../src/openai/sampling.ts', import.meta.url), sampling);

const [begin, end] = ['<!-- sampling options: written by `npm run fields` -->', '<!-- end of sampling options -->'];
const readme = new URL('../README.md', import.meta.url);
const text = readFileSync(readme, 'utf8');
const [head, rest] = text.split(begin);
const tail = rest?.split(end)[1];
if (tail !== undefined) writeFileSync(readme, `${head}${begin}\n\n${samplingMarkdown()}\n\n${end}${tail}`);
