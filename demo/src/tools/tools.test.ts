import { expect, test } from 'vitest';
import { calculate } from './arithmetic.js';
import { cityTime } from './city-time.js';
import { rollDice, TOOLS } from './tools.js';

test.each([
  ['17 + 25', 42],
  ['318*47', 14946],
  ['2 + 3 * 4 - 5', 9],
  ['(2 + 3) * 4', 20],
  ['100 / 8', 12.5],
  ['7 % 4', 3],
  ['0.1 + 0.2', 0.3],
  ['-2^2', -4],
  ['2^3^2', 512],
  ['2^-1', 0.5],
  ['10 - 4 - 3', 3],
  ['8 / 4 / 2', 1],
  ['--5', 5],
  ['6 × 7 − 2 ÷ 2', 41],
  ['1.5e3 + .5', 1500.5],
])('%s is %d', (expression, value) => {
  expect(calculate(expression)).toBe(value);
});

test.each(['', '2 +', '2 3', '(2', '2)', '1 / 0', 'alert(1)', '2 ** 3', '.', '1,5', '9^9^9'])(
  '%j has no value',
  (expression) => {
    expect(() => calculate(expression)).toThrow(Error);
  },
);

test('nesting without end is refused, not followed', () => {
  for (const bracket of ['(', '-', '2^']) {
    expect(() => calculate(`${bracket.repeat(100_000)}1`)).toThrow('too deeply');
  }
});

test('cities have their time, by their names in any spelling', () => {
  const noon = new Date('2026-01-15T12:00:00Z');
  const at = (city: string) => cityTime(city, noon);
  expect([at('Tokyo'), at('tokyo '), at('New York'), at('São Paulo'), at('Munich'), at('Kathmandu')]).toEqual([
    '21:00',
    '21:00',
    '07:00',
    '09:00',
    '13:00',
    '17:45',
  ]);
  expect(() => at('Atlantis')).toThrow('Atlantis');
});

test('a dice shows each of its sides and no other', () => {
  expect([rollDice(20, () => 0), rollDice(20, () => 0.999999)]).toEqual([1, 20]);
  for (const sides of [0, -3, 2.5, Number.NaN]) expect(() => rollDice(sides)).toThrow(Error);
});

test('every tool takes what its signature says', async () => {
  const given = { get_time: { city: 'Paris' }, calculate: { expression: '2*3' }, roll_dice: { sides: 1 } };
  const { signal } = new AbortController();
  const results = TOOLS.map(({ function: tool }) => tool.function(given[tool.name as keyof typeof given], { signal }));
  expect(await Promise.all(results)).toEqual([
    { time: expect.stringMatching(/^\d\d:\d\d$/) },
    { result: 6 },
    { result: 1 },
  ]);
});
