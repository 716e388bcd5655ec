/** Writes `src/openai/fields.ts` and `src/openai/sampling.ts` from the engine's own tables, and the table of options in the README. */

import { readFileSync, writeFileSync } from 'node:fs';
import { fieldTable, samplingMarkdown, samplingMembers, samplingTypes } from './field-table.js';

const fields = `/** Which fields a request may have: see core/src/engine/request/fields.rs. Written by \`npm run fields\`. */

/**
 * What becomes of a field: the engine reads it, it asks nothing of an answer, it is another's name, it is read as a whole number, or
 * only some values will do.
 */
export type FieldRule =
  | 'read'
  | 'ignored'
  | { readonly alias_of: string }
  | { readonly whole: Readonly<Record<string, number | null>> }
  | { readonly only: readonly unknown[]; readonly because: string };

/** The rules of every object that has some, by its place in the request. */
export const FIELDS: Readonly<Record<string, Readonly<Record<string, FieldRule>>>> = ${JSON.stringify(fieldTable())};
`;
writeFileSync(new URL('../src/openai/fields.ts', import.meta.url), fields);

const sampling = `/** How tokens are chosen: see core/src/engine/request/sampling.json. Written by \`npm run fields\`. */

export interface SamplingOptions {
${samplingMembers().join('\n')}
}

/** Those that are passed on as they are, by their types. */
export const SAMPLING = ${JSON.stringify(samplingTypes())} as const;
`;
writeFileSync(new URL('../src/openai/sampling.ts', import.meta.url), sampling);

const [begin, end] = ['<!-- sampling options: written by `npm run fields` -->', '<!-- end of sampling options -->'];
const readme = new URL('../README.md', import.meta.url);
const text = readFileSync(readme, 'utf8');
const [head, rest] = text.split(begin);
const tail = rest?.split(end)[1];
if (tail !== undefined) writeFileSync(readme, `${head}${begin}\n\n${samplingMarkdown()}\n\n${end}${tail}`);
