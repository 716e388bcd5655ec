import { expect, test } from 'vitest';
import { UnsupportedError } from '../errors.js';
import { toRustRegex } from './regex.js';

/** One that would not stand here as a literal. */
const made = (source: string, flags = '') => new RegExp(source, flags);

const NOT_END = String.raw`[^\n\r\u{2028}\u{2029}]`;

test.each([
  [/abc|d+e*f?/, 'abc|d+e*f?'],
  [/^a{2}b{3,}c{4,5}?$/m, '(?m)^a{2}b{3,}c{4,5}?$'],
  [/a.b/i, `(?i)a${NOT_END}b`],
  [/a.b/su, '(?s)a.b'],
  [/(a)(?:b)(?<year>c)/, '(a)(?:b)(?:c)'],
  [/\d\D/, '[0-9][^0-9]'],
  [/\w[\w-]\W[^\W_]/, String.raw`[0-9A-Za-z_][0-9A-Za-z_\-][^0-9A-Za-z_][^[^0-9A-Za-z_]_]`],
  [/\bword\B/, String.raw`(?-u:\b)word(?-u:\B)`],
  [/[\b\0\cA\x41\u0042]/, String.raw`[\u{8}\u{0}\u{1}\u{41}\u{42}]`],
  [/\t\n\r\f\v/, String.raw`\t\n\r\f\v`],
  [/[a-z0-9-]/, String.raw`[a-z0-9\-]`],
  [/[\d-x]/, String.raw`[0-9\-x]`],
  [/[\x41-\x5a]/, String.raw`[\u{41}-\u{5A}]`],
  // What only the engine gives a meaning.
  [/[[a&&b~~!--]/, String.raw`[\[a\&\&b\~\~!-\-]`],
  [/#\/<>/, String.raw`\#/<>`],
  [/a{b}c]/, String.raw`a\{b\}c\]`],
  [/a{,5}/, String.raw`a\{,5\}`],
  [made('[]'), String.raw`[^\s\S]`],
  [made('[^]'), String.raw`[\s\S]`],
  [made(String.raw`\u{61}`), 'u{61}'],
  [/\u{1f525}\p{L}\P{Lu}/u, String.raw`\u{1F525}\p{L}\P{Lu}`],
  [/[\p{L}-]/u, String.raw`[\p{L}\-]`],
  [/\ud83d\udd25+🔥/, String.raw`\u{1F525}+🔥`],
  [/(?:)/, '(?:)'],
  [/pe/, 'pe'],
])('%s becomes %s', (regex, expected) => {
  expect(toRustRegex(regex)).toBe(expected);
});

test('white space is that of ECMAScript', () => {
  const inside = toRustRegex(/[\s]/);
  expect(toRustRegex(/\s/)).toBe(inside);
  expect(inside).toContain(String.raw`\u{FEFF}`);
  expect(inside).not.toContain('85');
});

test.each([
  [/a(?=b)/, 'lookaround'],
  [/a(?!b)/, 'lookaround'],
  [/(?<=a)b/, 'lookaround'],
  [/(?<!a)b/, 'lookaround'],
  [/(a)\1/, 'backreference'],
  [/(?<x>a)\k<x>/, 'backreference'],
  [/a/g, 'flag `g`'],
  [/a/y, 'flag `y`'],
  [made('[a]', 'v'), 'flag `v`'],
  [/\ud83d/, 'half a character'],
])('%s is refused, saying why', (regex, why) => {
  expect(() => toRustRegex(regex)).toThrow(UnsupportedError);
  expect(() => toRustRegex(regex)).toThrow(why);
  expect(() => toRustRegex(regex)).toThrow(String(regex));
});
