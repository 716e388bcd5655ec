/** Where the user writes: Enter sends, Shift+Enter breaks the line, Escape stops the answer. */

import { byId } from '../dom.js';

/** What the composer asks for. */
export interface ComposerActions {
  /** Whether the text was taken. */
  send(text: string): boolean;
  stop(): void;
}

/** The text field with its two buttons, of which one is there at a time. */
export class Composer {
  readonly #input = byId('input', HTMLTextAreaElement);
  readonly #send = byId('send', HTMLButtonElement);
  readonly #stop = byId('stop', HTMLButtonElement);
  readonly #actions: ComposerActions;

  constructor(actions: ComposerActions) {
    this.#actions = actions;
    byId('composer', HTMLFormElement).addEventListener('submit', (event) => {
      event.preventDefault();
      this.#submit();
    });
    this.#input.addEventListener('keydown', (event) => {
      // While an input method composes a character, Enter is its own.
      if (event.key !== 'Enter' || event.shiftKey || event.isComposing) return;
      event.preventDefault();
      this.#submit();
    });
    this.#input.addEventListener('input', () => this.#update());
    this.#stop.addEventListener('click', () => {
      actions.stop();
      this.focus();
    });
    addEventListener('keydown', (event) => {
      if (event.key === 'Escape' && document.querySelector('dialog[open]') === null) actions.stop();
    });
    this.#update();
  }

  /** Show the stop button instead of the send button, or the other way round. */
  setBusy(busy: boolean): void {
    this.#send.hidden = busy;
    this.#stop.hidden = !busy;
  }

  focus(): void {
    this.#input.focus();
  }

  #submit(): void {
    const text = this.#input.value.trim();
    if (text === '' || !this.#actions.send(text)) return;
    this.#input.value = '';
    this.#update();
  }

  /** As high as its text, up to the limit in the style sheet. */
  #update(): void {
    this.#send.disabled = this.#input.value.trim() === '';
    this.#input.style.height = 'auto';
    this.#input.style.height = `${this.#input.scrollHeight}px`;
  }
}
