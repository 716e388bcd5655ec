/** The conversation on the page. */

import { el, icon, iconButton } from '../dom.js';
import { MarkdownView } from '../markdown.js';

/** A question of the user's. */
export function questionItem(text: string): HTMLLIElement {
  return el(
    'li',
    { class: 'message user', 'data-testid': 'message-user' },
    el('span', { class: 'visually-hidden' }, 'You: '),
    el('div', { class: 'bubble' }, text),
  );
}

/** An answer that grows. */
export class AnswerItem {
  readonly element: HTMLLIElement;
  readonly #body = el('div', { class: 'answer', 'data-testid': 'answer' });
  readonly #foot = el('div', { class: 'answer-foot' });
  readonly #markdown = new MarkdownView(this.#body);
  #text = '';

  constructor() {
    this.element = el(
      'li',
      { class: 'message assistant thinking', 'data-testid': 'message-assistant', 'aria-busy': 'true' },
      el('span', { class: 'visually-hidden' }, 'Answer: '),
      this.#body,
      this.#foot,
    );
  }

  /** What is shown so far. */
  get text(): string {
    return this.#text;
  }

  /** Show more. */
  append(text: string): void {
    this.#text += text;
    this.element.classList.remove('thinking');
    this.element.classList.add('streaming');
    this.#markdown.update(this.#text);
  }

  /** The answer is complete: offer what one can do with it, and say how it went. */
  finish(note: string, onAgain: () => void): void {
    this.element.classList.remove('thinking', 'streaming');
    this.element.removeAttribute('aria-busy');
    if (this.#text !== '') this.#foot.append(this.#copyButton());
    this.#foot.append(iconButton('again', 'Answer again', 'regenerate', onAgain));
    this.#foot.append(el('span', { class: 'note', 'data-testid': 'answer-note' }, note));
  }

  /** Something instead of the foot: an error. */
  fail(card: HTMLElement): void {
    this.element.classList.remove('thinking', 'streaming');
    this.element.removeAttribute('aria-busy');
    this.#foot.replaceWith(card);
  }

  #copyButton(): HTMLButtonElement {
    const button = iconButton('copy', 'Copy', 'copy', async () => {
      const copied = await navigator.clipboard.writeText(this.#text).then(
        () => true,
        () => false,
      );
      button.replaceChildren(icon(copied ? 'check' : 'close'));
      button.title = copied ? 'Copied' : 'The browser does not allow copying here';
      setTimeout(() => {
        button.replaceChildren(icon('copy'));
        button.title = 'Copy';
      }, 1500);
    });
    return button;
  }
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
