/** What went wrong, as a card: a title by its code, the engine's own sentence, and the buttons that help. */

import type { ErrorCode, InglenookError } from 'inglenook';
import { el, textButton } from '../dom.js';
import { sentence } from '../format.js';

/** What the user can do about it. */
export interface Remedies {
  retry?: (() => void) | undefined;
  chooseModel?: (() => void) | undefined;
  newChat?: (() => void) | undefined;
  useCpu?: (() => void) | undefined;
}

type Remedy = keyof Remedies;

const CARDS: Record<
  ErrorCode,
  { readonly title: string; readonly hint?: string; readonly remedies: readonly Remedy[] }
> = {
  Deployment: { title: 'This page is not set up for it', remedies: ['useCpu', 'retry'] },
  NoWebGpu: {
    title: 'This browser has no WebGPU',
    hint: 'It is there in Chrome and Edge from 113, in Safari from 26, and in Firefox from 141 on Windows and 145 on a Mac; and only on pages with an https: or localhost address.',
    remedies: ['useCpu'],
  },
  NoAdapter: {
    title: 'No graphics processor to run on',
    hint: 'Check that hardware acceleration is switched on in the browser’s settings, and that the graphics driver is up to date.',
    remedies: ['retry', 'useCpu'],
  },
  TooSmall: { title: 'Too large for this device', remedies: ['chooseModel'] },
  BadFile: { title: 'This file cannot be used', remedies: ['chooseModel', 'retry'] },
  Unsupported: { title: 'Not supported yet', remedies: ['chooseModel'] },
  Download: { title: 'The model could not be fetched', remedies: ['retry', 'chooseModel'] },
  Aborted: { title: 'Loading was stopped', remedies: ['retry', 'chooseModel'] },
  WrongAnswer: {
    title: 'Wrong numbers were computed',
    hint: 'A damaged model file can cause this, and so can an old graphics driver or browser.',
    remedies: ['useCpu', 'retry'],
  },
  Lost: {
    title: 'The graphics processor was lost',
    hint: 'That happens after a driver reset or when the device sleeps. Loading the model again helps.',
    remedies: ['retry', 'chooseModel'],
  },
  OutOfMemory: {
    title: 'Out of memory',
    hint: 'Closing other tabs and programs may help; so does a smaller model.',
    remedies: ['retry', 'chooseModel'],
  },
  BadRequest: { title: 'This cannot be answered', remedies: ['newChat', 'retry'] },
  Busy: { title: 'Too many questions at once', remedies: ['retry'] },
  Closed: { title: 'The model was closed meanwhile', remedies: ['retry'] },
  Internal: { title: 'Something broke', remedies: ['retry', 'chooseModel'] },
};

const LABELS: Record<Remedy, string> = {
  retry: 'Try again',
  chooseModel: 'Choose another model',
  newChat: 'New chat',
  useCpu: 'Run without it, slowly',
};

/** A card for this error with the buttons that are given and that make sense. */
export function errorCard(error: InglenookError, remedies: Remedies): HTMLElement {
  const { title, hint, remedies: useful } = CARDS[error.code];
  const buttons = useful.flatMap((remedy) => {
    const action = remedies[remedy];
    return action === undefined ? [] : [textButton(LABELS[remedy], `error-${remedy}`, action)];
  });
  return el(
    'section',
    { class: 'card error', role: 'alert', 'data-testid': 'error-card', 'data-code': error.code },
    el('h3', {}, title),
    el('p', { 'data-testid': 'error-message' }, sentence(error.message)),
    hint === undefined ? undefined : el('p', { class: 'hint' }, hint),
    buttons.length === 0 ? undefined : el('div', { class: 'buttons' }, ...buttons),
  );
}
