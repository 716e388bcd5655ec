/** Writes `src/openai/fields.ts`, the table of a request's fields, from the engine's own. */

import { readFileSync, writeFileSync } from 'node:fs';

const table = readFileSync(new URL('../../core/src/engine/request/fields.json', import.meta.url), 'utf8');
const text = `/** Which fields a request may have: see core/src/engine/request/fields.rs. Written by \`npm run fields\`. */

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
export const FIELDS: Readonly<Record<string, Readonly<Record<string, FieldRule>>>> = ${table.trim()};
`;
writeFileSync(new URL('../src/openai/fields.ts', import.meta.url), text);
