/**
 * Tokens arrive in groups, since the engine reads several at a time from the GPU. Shown as they come, the text would jump. The
 * pacer hands them out evenly until the next group is expected, and is never later than one group.
 */

/** When to hand out next; the browser's animation frames by default. */
export interface Clock {
  now(): number;
  /** Calls back once, soon: about the length of a frame later. */
  soon(callback: () => void): void;
}

/** Pieces within so many milliseconds of each other belong to one group. */
const SAME_GROUP = 8;
/** No piece waits longer than this many milliseconds for an expected next group. */
const LONGEST_WAIT = 400;
/** When the answer has ended, what is left is shown within so many milliseconds. */
const LAST_WAIT = 60;

/** Smooths a run of pieces. */
export class Pacer {
  readonly #show: (text: string) => void;
  readonly #clock: Clock;
  readonly #waiting: string[] = [];
  #lastArrival = Number.NEGATIVE_INFINITY;
  /** Milliseconds between groups, averaged; at first a guess. */
  #interval = 120;
  #dueBy = 0;
  #shownAt = 0;
  /** Whether a group begins with nothing before it: its first piece is shown at once. */
  #fresh = false;
  #running = false;
  #onEmpty: (() => void) | undefined;

  constructor(show: (text: string) => void, clock: Clock = FRAMES) {
    this.#show = show;
    this.#clock = clock;
  }

  /** A piece has arrived. */
  push(text: string): void {
    const now = this.#clock.now();
    const gap = now - this.#lastArrival;
    this.#lastArrival = now;
    if (gap > SAME_GROUP) {
      if (Number.isFinite(gap)) this.#interval = 0.6 * this.#interval + 0.4 * gap;
      this.#dueBy = now + Math.min(this.#interval, LONGEST_WAIT);
      this.#fresh = this.#waiting.length === 0;
    }
    this.#waiting.push(text);
    if (!this.#running) this.#step();
  }

  /** No more will come; resolved once all is shown. */
  finish(): Promise<void> {
    this.#dueBy = Math.min(this.#dueBy, this.#clock.now() + LAST_WAIT);
    return new Promise((resolve) => {
      this.#onEmpty = resolve;
      if (!this.#running) resolve();
    });
  }

  /** Show at once what waits. */
  flush(): void {
    if (this.#waiting.length > 0) this.#show(this.#waiting.splice(0).join(''));
  }

  #step(): void {
    const now = this.#clock.now();
    const amount = this.#amount(now);
    if (amount > 0) {
      this.#shownAt = now;
      this.#fresh = false;
      this.#show(this.#waiting.splice(0, amount).join(''));
    }
    this.#running = this.#waiting.length > 0;
    if (this.#running) this.#clock.soon(() => this.#step());
    else this.#onEmpty?.();
  }

  /** How many pieces are due: evenly over the time left, one after the other. */
  #amount(now: number): number {
    const waiting = this.#waiting.length;
    const left = this.#dueBy - now;
    if (waiting === 0 || left <= 0) return waiting;
    const each = left / waiting;
    return this.#fresh ? 1 : Math.min(waiting, Math.floor((now - this.#shownAt) / each));
  }
}

/** Animation frames. A hidden page gets none, so a timer stands behind each. */
const FRAMES: Clock = {
  now: () => performance.now(),
  soon: (callback) => {
    const frame = requestAnimationFrame(() => {
      clearTimeout(timer);
      callback();
    });
    const timer = setTimeout(() => {
      cancelAnimationFrame(frame);
      callback();
    }, 100);
  },
};
