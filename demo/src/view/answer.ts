/** An answer on the page: thoughts, texts and calls, in the order in which they came. */

import type { AnswerEvent } from '../conversation.js';
import { el, icon, iconButton } from '../dom.js';
import { MarkdownView } from '../markdown.js';
import { ThoughtPart } from './thought.js';
import { ToolPart } from './tool-card.js';

/** A part of the answer that is text in Markdown. */
class TextPart {
  readonly element = el('div', { class: 'answer', 'data-testid': 'answer' });
  readonly #markdown = new MarkdownView(this.element);
  text = '';

  append(text: string): void {
    this.text += text;
    this.#markdown.update(this.text);
  }
}

/** An answer that grows. */
export class AnswerItem {
  readonly element: HTMLLIElement;
  readonly #parts = el('div', { class: 'parts' });
  readonly #foot = el('div', { class: 'answer-foot' });
  readonly #texts: TextPart[] = [];
  readonly #tools = new Map<string, ToolPart>();
  /** The part that grows. */
  #last: TextPart | ThoughtPart | ToolPart | undefined;

  constructor() {
    this.element = el(
      'li',
      { class: 'message assistant thinking', 'data-testid': 'message-assistant', 'aria-busy': 'true' },
      el('span', { class: 'visually-hidden' }, 'Answer: '),
      this.#parts,
      this.#foot,
    );
  }

  /** What it says so far, without thoughts and calls. */
  get text(): string {
    return this.#texts.map(({ text }) => text).join('\n\n');
  }

  /** Show what happened. */
  show(event: AnswerEvent): void {
    switch (event.kind) {
      case 'text':
        this.#textPart().append(event.text);
        break;
      case 'thought':
        this.#thoughtPart().append(event.text);
        break;
      case 'call':
        this.#tools.set(event.key, this.#begin(new ToolPart(event.name)));
        break;
      case 'arguments':
        this.#tools.get(event.key)?.append(event.text);
        break;
      case 'running':
        for (const tool of this.#tools.values()) tool.run();
        break;
      case 'withdrawn':
        this.#tools.get(event.key)?.element.remove();
        this.#tools.delete(event.key);
        break;
      case 'result':
        this.#tools.get(event.key)?.finish(event.content, event.failed);
        break;
    }
    this.element.classList.toggle('thinking', event.kind !== 'text');
    this.element.classList.toggle('streaming', event.kind === 'text');
  }

  /** The answer is complete: offer what one can do with it, and say how it went. */
  finish(note: string, onAgain: () => void): void {
    this.#settle();
    if (this.text !== '') this.#foot.append(this.#copyButton());
    this.#foot.append(iconButton('again', 'Answer again', 'regenerate', onAgain));
    this.#foot.append(el('span', { class: 'note', 'data-testid': 'answer-note' }, note));
  }

  /** Something instead of the foot: an error. */
  fail(card: HTMLElement): void {
    this.#settle();
    this.#foot.replaceWith(card);
  }

  #settle(): void {
    this.element.classList.remove('thinking', 'streaming');
    this.element.removeAttribute('aria-busy');
    if (this.#last instanceof ThoughtPart) this.#last.finish();
    for (const tool of this.#tools.values()) tool.stop();
  }

  #textPart(): TextPart {
    if (this.#last instanceof TextPart) return this.#last;
    const part = this.#begin(new TextPart());
    this.#texts.push(part);
    return part;
  }

  #thoughtPart(): ThoughtPart {
    return this.#last instanceof ThoughtPart ? this.#last : this.#begin(new ThoughtPart());
  }

  #begin<T extends TextPart | ThoughtPart | ToolPart>(part: T): T {
    if (this.#last instanceof ThoughtPart) this.#last.finish();
    this.#last = part;
    this.#parts.append(part.element);
    return part;
  }

  #copyButton(): HTMLButtonElement {
    const button = iconButton('copy', 'Copy', 'copy', async () => {
      const copied = await navigator.clipboard.writeText(this.text).then(
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
