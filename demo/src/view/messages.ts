/** The conversation on the page: questions, and what keeps its end in view. */

import { el } from '../dom.js';

/** A question of the user's. */
export function questionItem(text: string): HTMLLIElement {
  return el(
    'li',
    { class: 'message user', 'data-testid': 'message-user' },
    el('span', { class: 'visually-hidden' }, 'You: '),
    el('div', { class: 'bubble' }, text),
  );
}

/** Keeps the end of the page in view while it grows, unless the user has scrolled away from it. */
export class Follower {
  readonly #room: HTMLElement;
  #following = false;
  #lastTop = 0;

  constructor(room: HTMLElement) {
    this.#room = room;
    room.addEventListener('scroll', () => this.#scrolled());
    // What opens below makes the room smaller without scrolling it.
    new ResizeObserver(() => this.follow()).observe(room);
  }

  /** The user asked something: its answer is what they want to see. */
  start(): void {
    this.#following = true;
    this.follow();
  }

  /** Something grew. */
  follow(): void {
    if (this.#following) this.#room.scrollTop = this.#room.scrollHeight;
  }

  #scrolled(): void {
    const { scrollTop, scrollHeight, clientHeight } = this.#room;
    // Only the user scrolls up; being far from the end may also mean that the text has just grown.
    if (scrollHeight - scrollTop - clientHeight < 60) this.#following = true;
    else if (scrollTop < this.#lastTop) this.#following = false;
    this.#lastTop = scrollTop;
  }
}
