/** From raw byte counts to progress that can be shown: throttled, with speed and time left. */

import type { WasmProgress } from './wasm.js';

/** How far loading has come. */
export interface LoadProgress {
  /** What is being done, in the engine's own words. */
  readonly stage: string;
  /** Bytes of the file taken in so far. */
  readonly loadedBytes: number;
  /** Length of the file in bytes, where it is known. */
  readonly totalBytes: number | undefined;
  /** Over the last seconds. */
  readonly bytesPerSecond: number | undefined;
  /** Expected, in seconds. */
  readonly secondsLeft: number | undefined;
}

const SHORTEST_INTERVAL = 60;
/** Milliseconds over which the speed is averaged. */
const WINDOW = 3000;

/** A progress callback for the engine that passes on what is worth showing. */
export function progressMeter(report: (progress: LoadProgress) => void, now = () => performance.now()): WasmProgress {
  let samples: { at: number; bytes: number }[] = [];
  let shown = { at: Number.NEGATIVE_INFINITY, stage: '' };

  return (loadedBytes, totalBytes, stage) => {
    const at = now();
    // The first bytes, a new stage and the end are shown always; the rest some fifteen times a second.
    if (at - shown.at < SHORTEST_INTERVAL && stage === shown.stage && loadedBytes !== totalBytes) return;
    shown = { at, stage };
    samples = [...samples.filter((sample) => at - sample.at <= WINDOW), { at, bytes: loadedBytes }];
    const [first] = samples;
    const elapsed = at - (first?.at ?? at);
    const bytesPerSecond = elapsed > 0 ? ((loadedBytes - (first?.bytes ?? 0)) / elapsed) * 1000 : undefined;
    const secondsLeft =
      totalBytes !== undefined && bytesPerSecond ? (totalBytes - loadedBytes) / bytesPerSecond : undefined;
    report({ stage, loadedBytes, totalBytes, bytesPerSecond, secondsLeft });
  };
}
