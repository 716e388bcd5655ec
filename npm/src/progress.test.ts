import { expect, test } from 'vitest';
import { type LoadProgress, progressMeter } from './progress.js';

function run(calls: [at: number, loaded: number, total: number | undefined, stage: string][]): LoadProgress[] {
  const reports: LoadProgress[] = [];
  let at = 0;
  const meter = progressMeter(
    (progress) => reports.push(progress),
    () => at,
  );
  for (const [time, loaded, total, stage] of calls) {
    at = time;
    meter(loaded, total, stage);
  }
  return reports;
}

test('speed and time left come from the last three seconds', () => {
  const reports = run([
    [0, 0, 10_000, 'weights'],
    [1000, 100, 10_000, 'weights'],
    [2000, 200, 10_000, 'weights'],
    [4500, 2700, 10_000, 'weights'],
  ]);
  expect(reports[0]).toMatchObject({ bytesPerSecond: undefined, secondsLeft: undefined });
  expect(reports[2]).toMatchObject({ bytesPerSecond: 100, secondsLeft: 98 });
  // Only the samples of 2000 and 4500 are left: 2500 bytes in 2.5 s.
  expect(reports[3]).toMatchObject({ bytesPerSecond: 1000, secondsLeft: 7.3 });
});

test('quick calls are thinned out, but a new stage and the end are shown', () => {
  const reports = run([
    [0, 0, 100, 'weights'],
    [10, 20, 100, 'weights'],
    [20, 40, 100, 'weights'],
    [30, 100, 100, 'weights'],
    [35, 100, 100, 'kernels'],
  ]);
  expect(reports.map(({ stage, loadedBytes }) => [stage, loadedBytes])).toEqual([
    ['weights', 0],
    ['weights', 100],
    ['kernels', 100],
  ]);
});

test('without a length there is a speed but no time left', () => {
  const reports = run([
    [0, 0, undefined, 'weights'],
    [500, 50, undefined, 'weights'],
  ]);
  expect(reports[1]).toMatchObject({ totalBytes: undefined, bytesPerSecond: 100, secondsLeft: undefined });
});
