/** The dialog in which a model is chosen, and files dropped onto the page. */

import { byId } from '../dom.js';
import type { ModelChoice } from '../model-session.js';

/** Wire it up. Returns what opens it. */
export function setUpPicker(onChoose: (choice: ModelChoice) => void): () => void {
  const dialog = byId('picker', HTMLDialogElement);
  const choose = (choice: ModelChoice) => {
    dialog.close();
    onChoose(choice);
  };
  // A click on the backdrop lands on the dialog itself.
  dialog.addEventListener('click', (event) => {
    if (event.target === dialog) dialog.close();
  });
  byId('pick-ember', HTMLButtonElement).addEventListener('click', () => choose({ kind: 'ember' }));
  setUpFile(choose);
  setUpUrl(choose);
  setUpDrop(choose);
  return () => dialog.showModal();
}

function setUpFile(choose: (choice: ModelChoice) => void): void {
  const input = byId('file-input', HTMLInputElement);
  input.addEventListener('change', () => {
    const file = input.files?.[0];
    // So that the same file can be picked again after a failure.
    input.value = '';
    if (file) choose({ kind: 'file', file });
  });
}

function setUpUrl(choose: (choice: ModelChoice) => void): void {
  const input = byId('url-input', HTMLInputElement);
  const problem = byId('url-error', HTMLElement);
  byId('url-form', HTMLFormElement).addEventListener('submit', (event) => {
    event.preventDefault();
    const address = parseAddress(input.value);
    problem.textContent = address === undefined ? 'That is no address of a file. It should begin with https://' : '';
    if (address !== undefined) choose({ kind: 'url', url: address });
    else input.focus();
  });
}

/** The address, if it is one that can be fetched. */
export function parseAddress(text: string): string | undefined {
  const trimmed = text.trim();
  const url = URL.parse(trimmed) ?? (trimmed.includes('.') ? URL.parse(`https://${trimmed}`) : null);
  return url !== null && /^https?:$/.test(url.protocol) ? url.href : undefined;
}

function setUpDrop(choose: (choice: ModelChoice) => void): void {
  const veil = byId('drop-veil', HTMLElement);
  const hasFile = (event: DragEvent) => event.dataTransfer?.types.includes('Files') === true;
  addEventListener('dragover', (event) => {
    if (!hasFile(event)) return;
    event.preventDefault();
    veil.classList.add('shown');
  });
  addEventListener('dragleave', (event) => {
    // Only when the pointer leaves the window, not on its way between elements.
    if (event.relatedTarget === null) veil.classList.remove('shown');
  });
  addEventListener('drop', (event) => {
    if (!hasFile(event)) return;
    event.preventDefault();
    veil.classList.remove('shown');
    const file = event.dataTransfer?.files[0];
    if (file) choose({ kind: 'file', file });
  });
}
