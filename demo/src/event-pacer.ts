/** Paces the texts of an answer, and keeps everything else in its place among them. */

import type { AnswerEvent } from './conversation.js';
import { type Clock, Pacer } from './pacer.js';

/** Smooths a run of events: texts come out evenly, all else at once, in the order in which they came. */
export class EventPacer {
  readonly #show: (event: AnswerEvent) => void;
  readonly #pacer: Pacer;
  /** What the texts are that wait. */
  #kind: 'text' | 'thought' = 'text';

  constructor(show: (event: AnswerEvent) => void, clock?: Clock) {
    this.#show = show;
    this.#pacer = new Pacer((text) => show({ kind: this.#kind, text }), clock);
  }

  /** Something has happened. */
  push(event: AnswerEvent): void {
    if (event.kind !== this.#kind) this.#pacer.flush();
    if (event.kind === 'text' || event.kind === 'thought') {
      this.#kind = event.kind;
      this.#pacer.push(event.text);
    } else {
      this.#show(event);
    }
  }

  /** No more will come; resolved once all is shown. */
  finish(): Promise<void> {
    return this.#pacer.finish();
  }

  /** Show at once what waits. */
  flush(): void {
    this.#pacer.flush();
  }
}
