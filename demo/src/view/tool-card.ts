/** A call of a tool, as a small card: its name, its arguments as they are written, whether it runs, and its result. */

import { el, icon } from '../dom.js';

/** How far a call has come, and how the card says it. */
const STATES = {
  writing: 'being written',
  running: 'running',
  done: 'done',
  failed: 'failed',
  stopped: 'stopped',
} as const;

/** One call on the page. */
export class ToolPart {
  readonly element: HTMLElement;
  readonly #state = el('span', { class: 'tool-state', 'data-testid': 'tool-state' });
  readonly #arguments = el('code', { class: 'tool-arguments', 'data-testid': 'tool-arguments' });
  readonly #result = el('code', { class: 'tool-result', 'data-testid': 'tool-result' });

  constructor(name: string) {
    this.element = el(
      'section',
      { class: 'tool', 'data-testid': 'tool-card', 'aria-label': `Call of the tool ${name}` },
      el('div', { class: 'tool-head' }, icon('tool'), el('strong', { 'data-testid': 'tool-name' }, name), this.#state),
      this.#arguments,
    );
    this.#set('writing');
  }

  /** Show more of its arguments. */
  append(text: string): void {
    this.#arguments.append(text);
  }

  /** Its arguments are complete: show them without their quotes and braces, where they are a plain object. */
  run(): void {
    if (this.element.dataset.state !== 'writing') return;
    this.#set('running');
    this.#arguments.textContent = readable(this.#arguments.textContent ?? '');
  }

  /** What it gave. */
  finish(content: string, failed: boolean): void {
    this.run();
    this.#set(failed ? 'failed' : 'done');
    this.#result.textContent = readable(content);
    this.element.append(this.#result);
  }

  /** The answer ended before the call did. */
  stop(): void {
    if (this.element.dataset.state === 'writing' || this.element.dataset.state === 'running') this.#set('stopped');
  }

  #set(state: keyof typeof STATES): void {
    this.element.dataset.state = state;
    this.#state.textContent = STATES[state];
  }
}

/** `{"city": "Tokyo", "days": 3}` as `city: Tokyo, days: 3`; what is no plain object stays as it is. */
export function readable(json: string): string {
  let value: unknown;
  try {
    value = JSON.parse(json);
  } catch {
    return json;
  }
  if (typeof value !== 'object' || value === null || Array.isArray(value)) return json;
  return Object.entries(value)
    .map(([key, held]) => `${key}: ${typeof held === 'string' ? held : JSON.stringify(held)}`)
    .join(', ');
}
