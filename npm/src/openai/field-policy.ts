/** Holds a request to the table of fields, so that nothing that it asks for is left undone without a word. */

import { UnsupportedError } from '../errors.js';
import { FIELDS, type FieldRule } from './fields.js';

type Rules = Readonly<Record<string, FieldRule>>;
type Fields = Readonly<Record<string, unknown>>;

/** Fields of requests to this package alone, which never reach the engine. */
const OWN: Rules = { signal: 'read', content_filter: 'read' };

/** The longest part of a value that a message tells. */
const EXCERPT = 60;

/**
 * Check the fields of a request and of the objects in it. One that is null or undefined is not there.
 *
 * @throws UnsupportedError that names a field that does not exist, or that asks for what cannot be done
 */
export function checkFields(request: object): void {
  for (const [path, rules] of Object.entries(FIELDS)) {
    const all = path === '' ? { ...rules, ...OWN } : rules;
    walk(request as Fields, path === '' ? [] : path.split('.'), '', all);
  }
}

/** Whether the engine reads this field of a request, by this name or another. */
export function isRead(name: string): boolean {
  const rule = FIELDS['']?.[name];
  return rule === 'read' || (typeof rule === 'object' && !('only' in rule));
}

/** Checks each object at a path, seen from one that stands at `place`. */
function walk(fields: Fields, [step, ...rest]: readonly string[], place: string, rules: Rules): void {
  if (step === undefined) {
    checkObject(fields, place, rules);
    return;
  }
  const name = step.replace(/\[\]$/, '');
  const value = fields[name];
  if (name === step) {
    if (isObject(value)) walk(value, rest, `${place}${name}.`, rules);
  } else if (Array.isArray(value)) {
    value.forEach((item: unknown, index) => {
      if (isObject(item)) walk(item, rest, `${place}${name}[${index}].`, rules);
    });
  }
}

function checkObject(fields: Fields, place: string, rules: Rules): void {
  for (const [name, value] of Object.entries(fields)) {
    if (value === undefined || value === null) continue;
    const rule = Object.hasOwn(rules, name) ? rules[name] : rules['*'];
    if (rule === undefined) throw unknown(name, place, rules);
    if (typeof rule === 'object' && 'only' in rule && !rule.only.some((known) => json(known) === json(value))) {
      throw new UnsupportedError(`\`${place}${name}\` cannot be ${excerpt(json(value))}: ${rule.because}`);
    }
  }
}

function unknown(name: string, place: string, rules: Rules): UnsupportedError {
  const near = nearest(name, rules);
  const remedy = near === undefined ? 'leave it out' : `did you mean \`${place}${near}\`?`;
  return new UnsupportedError(`\`${place}${name}\` is no field of a request; ${remedy}`);
}

function isObject(value: unknown): value is Fields {
  return typeof value === 'object' && value !== null && !Array.isArray(value);
}

/** A value as JSON; what has none as JavaScript writes it. */
function json(value: unknown): string {
  try {
    return JSON.stringify(value) ?? String(value);
  } catch {
    return String(value);
  }
}

function excerpt(text: string): string {
  const letters = [...text.slice(0, 2 * EXCERPT + 2)];
  return letters.length > EXCERPT ? `${letters.slice(0, EXCERPT).join('')}…` : text;
}

/** The field that is read whose name is nearly this one. */
function nearest(name: string, rules: Rules): string | undefined {
  const letters = (text: string) => text.replace(/[_-]/g, '').toLowerCase();
  const wanted = letters(name);
  const near = Object.entries(rules)
    .filter(([, rule]) => typeof rule === 'string' || !('only' in rule))
    .map(([known]) => ({ known, other: letters(known) }))
    .filter(({ other }) => Math.abs(wanted.length - other.length) <= 2)
    .map(({ known, other }) => ({ known, apart: distance(wanted, other), size: Math.min(wanted.length, other.length) }))
    .filter(({ apart, size }) => apart <= Math.min(2, Math.floor(size / 3)))
    .sort((one, other) => one.apart - other.apart || (one.known < other.known ? -1 : 1));
  return near[0]?.known;
}

/** How many letters must be put in, taken out or exchanged to turn one text into another (Levenshtein). */
function distance(one: string, other: string): number {
  let row = Array.from({ length: other.length + 1 }, (_, index) => index);
  for (const [at, letter] of [...one].entries()) {
    const next = [at + 1];
    for (const [column, known] of [...other].entries()) {
      const exchanged = (row[column] ?? 0) + (letter === known ? 0 : 1);
      next.push(Math.min(exchanged, (row[column + 1] ?? 0) + 1, (next[column] ?? 0) + 1));
    }
    row = next;
  }
  return row[other.length] ?? 0;
}
