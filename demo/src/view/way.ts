/** One of several answers to the same question: its name, its own stop, and the answer itself. */

import type { Engine } from 'inglenook';
import { Conversation, type Sampling } from '../conversation.js';
import { el, iconButton } from '../dom.js';
import { EventPacer } from '../event-pacer.js';
import { AnswerItem } from './answer.js';
import { errorCard } from './errors.js';
import { outcomeNote } from './outcome.js';

/** How an answer is drawn, as people read it and as the engine does. */
export interface Way {
  readonly name: string;
  readonly hint: string;
  readonly sampling: Sampling;
}

/** A column of the view. */
export class WayColumn {
  readonly element: HTMLElement;
  readonly #answer = el('ol', { class: 'messages' });
  readonly #stop: HTMLButtonElement;
  readonly #conversation: Conversation;
  readonly #engine: (signal: AbortSignal) => Promise<Engine>;
  readonly #onChange: () => void;
  #busy = false;

  /** @param onChange called whenever the answer begins or ends */
  constructor({ name, hint, sampling }: Way, engine: (signal: AbortSignal) => Promise<Engine>, onChange: () => void) {
    this.#conversation = new Conversation(sampling);
    this.#engine = engine;
    this.#onChange = onChange;
    this.#stop = iconButton('stop', `Stop the ${name.toLowerCase()} answer`, 'way-stop', () => this.stop());
    this.#stop.hidden = true;
    const title = el('h3', {}, name);
    const head = el('header', {}, title, el('p', {}, hint), this.#stop);
    this.element = el('section', { class: 'way', 'aria-label': name, 'data-testid': 'way' }, head, this.#answer);
  }

  /** Whether its answer is under way. */
  get busy(): boolean {
    return this.#busy;
  }

  /** Answer this, in place of what stands there. */
  ask(question: string): void {
    this.#conversation.clear();
    this.#conversation.ask(question);
    void this.#give();
  }

  /** End the answer under way, keeping what there is of it. */
  stop(): void {
    this.#conversation.stop();
  }

  async #give(): Promise<void> {
    const item = new AnswerItem();
    item.element.classList.add('latest');
    this.#answer.replaceChildren(item.element);
    this.#setBusy(true);
    const pacer = new EventPacer((event) => item.show(event));
    const outcome = await this.#conversation.answer(this.#engine, [], (event) => pacer.push(event));
    if (outcome.kind === 'stopped') pacer.flush();
    await pacer.finish();
    const again = () => {
      if (this.#busy) return;
      this.#conversation.dropLastAnswer();
      void this.#give();
    };
    if (outcome.kind === 'failed') item.fail(errorCard(outcome.error, { retry: again }));
    else item.finish(outcomeNote(outcome), again);
    this.#setBusy(false);
  }

  #setBusy(busy: boolean): void {
    this.#busy = busy;
    // Who has just pressed it must not lose their place in the page.
    if (!busy && document.activeElement === this.#stop)
      this.element.querySelector<HTMLElement>('.answer-foot button')?.focus();
    this.#stop.hidden = !busy;
    this.#onChange();
  }
}
