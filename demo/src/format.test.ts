import { expect, test } from 'vitest';
import * as format from './format.js';
import { progressLine } from './view/loading.js';
import { parseAddress } from './view/picker.js';

test.each([
  [0, '0 B'],
  [999, '999 B'],
  [1000, '1.0 kB'],
  [8_600_000, '8.6 MB'],
  [123_400_000, '123 MB'],
  [4_200_000_000, '4.2 GB'],
])('%i bytes are %s', (count, text) => {
  expect(format.bytes(count)).toBe(text);
});

test.each([
  [0.2, '1 s'],
  [59.4, '59 s'],
  [60, '1 min'],
  [125, '2 min 5 s'],
  [7300, '2 h 1 min'],
])('%d seconds are %s', (time, text) => {
  expect(format.seconds(time)).toBe(text);
});

test.each([
  [512, '512'],
  [42_300, '42 k'],
  [5_242_880, '5.2 M'],
  [494_032_768, '494 M'],
  [23_572_403_200, '23.6 B'],
])('%i weights are %s', (value, text) => {
  expect(format.count(value)).toBe(text);
});

test('speeds have a digit more where it says something', () => {
  expect([format.speed(4.23), format.speed(38.4)]).toEqual(['4.2 tokens/s', '38 tokens/s']);
});

test('messages become sentences', () => {
  expect(format.sentence('the file ends early; fetch it again')).toBe('The file ends early; fetch it again.');
  expect(format.sentence('Done. Try again!')).toBe('Done. Try again!');
});

test('a progress line says what is known', () => {
  const progress = { stage: 'weights', loadedBytes: 3.2e6, totalBytes: 8.6e6, bytesPerSecond: 2.7e6, secondsLeft: 2 };
  expect(progressLine(progress)).toBe('3.2 MB of 8.6 MB · 2.7 MB/s · 2 s left');
  expect(progressLine({ ...progress, totalBytes: undefined, secondsLeft: undefined })).toBe('3.2 MB · 2.7 MB/s');
  expect(progressLine({ ...progress, bytesPerSecond: undefined, secondsLeft: undefined })).toBe('3.2 MB of 8.6 MB');
  const kernels = { ...progress, stage: 'kernels' };
  expect(progressLine({ ...kernels, loadedBytes: 8.6e6 })).toBe('8.6 MB read · getting ready …');
  expect(progressLine({ ...kernels, loadedBytes: 0 })).toBe('Getting ready …');
});

test.each([
  [' https://a.b/c.gguf ', 'https://a.b/c.gguf'],
  ['a.b/c.gguf', 'https://a.b/c.gguf'],
  ['http://localhost:8080/m.gguf', 'http://localhost:8080/m.gguf'],
  ['javascript:alert(1)', undefined],
  ['file:///etc/passwd', undefined],
  ['hello', undefined],
  ['', undefined],
])('the address %j is taken as %j', (text, address) => {
  expect(parseAddress(text)).toBe(address);
});
