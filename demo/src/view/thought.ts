/** What a model thinks before it speaks: folded away, and dimmed where it is unfolded. */

import { el } from '../dom.js';

/** A thought that grows. */
export class ThoughtPart {
  readonly element: HTMLDetailsElement;
  readonly #title = el('span', { class: 'thought-title' }, 'Thinking');
  readonly #text = el('div', { class: 'thought-text', 'data-testid': 'thought-text' });
  readonly #begun = performance.now();

  constructor() {
    this.element = el(
      'details',
      { class: 'thought growing', 'data-testid': 'thought' },
      el('summary', {}, this.#title),
      this.#text,
    );
  }

  /** Show more of it. */
  append(text: string): void {
    this.#text.append(text);
  }

  /** It is complete: say how long it took. */
  finish(): void {
    if (!this.element.classList.contains('growing')) return;
    this.element.classList.remove('growing');
    const seconds = Math.max(1, Math.round((performance.now() - this.#begun) / 1000));
    this.#title.textContent = `Thought for ${seconds} s`;
  }
}
