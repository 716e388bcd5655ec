/** The view in which one question gets three answers at the same time, each with more daring than the last. */

import type { Engine } from 'inglenook';
import { byId } from '../dom.js';
import { type Way, WayColumn } from './way.js';

const WAYS: readonly Way[] = [
  { name: 'Steady', hint: 'always the likeliest word', sampling: { temperature: 0 } },
  { name: 'Free', hint: 'temperature 0.8', sampling: { temperature: 0.8 } },
  { name: 'Daring', hint: 'temperature 1.4', sampling: { temperature: 1.4 } },
];

/** Wire it up. Returns what opens it. */
export function setUpThreeWays(engine: (signal: AbortSignal) => Promise<Engine>): () => void {
  const dialog = byId('ways-dialog', HTMLDialogElement);
  const input = byId('ways-input', HTMLInputElement);
  const ask = byId('ways-ask', HTMLButtonElement);
  const stop = byId('ways-stop', HTMLButtonElement);
  const status = byId('ways-status', HTMLElement);
  const columns = WAYS.map((way) => new WayColumn(way, engine, update));
  const running = () => columns.filter(({ busy }) => busy).length;
  const stopAll = () => {
    for (const column of columns) column.stop();
  };
  let wasRunning = 0;

  function update(): void {
    const count = running();
    ask.hidden = count > 0;
    stop.hidden = count === 0;
    ask.disabled = input.value.trim() === '';
    if (count === 0 && wasRunning > 0) {
      status.textContent = 'All answers have ended.';
      if (document.activeElement === document.body || document.activeElement === stop) input.focus();
    } else if (count > wasRunning) {
      status.textContent = `${count} ${count === 1 ? 'answer is' : 'answers are'} under way.`;
    }
    wasRunning = count;
  }

  byId('ways', HTMLElement).replaceChildren(...columns.map(({ element }) => element));
  byId('ways-form', HTMLFormElement).addEventListener('submit', (event) => {
    event.preventDefault();
    const question = input.value.trim();
    if (question === '' || running() > 0) return;
    for (const column of columns) column.ask(question);
  });
  input.addEventListener('input', update);
  stop.addEventListener('click', stopAll);
  dialog.addEventListener('close', stopAll);
  // A click on the backdrop lands on the dialog itself.
  dialog.addEventListener('click', (event) => {
    if (event.target === dialog) dialog.close();
  });
  update();
  return () => {
    dialog.showModal();
    input.focus();
  };
}
