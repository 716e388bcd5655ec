/** A model on its way: bytes, speed, time left, and a way out. */

import type { LoadProgress } from 'inglenook';
import { el, textButton } from '../dom.js';
import * as format from '../format.js';

/** A card that shows how far loading has come. */
export class LoadingCard {
  readonly element: HTMLElement;
  readonly #bar = el('progress', { 'data-testid': 'progress', 'aria-label': 'Loading the model' });
  readonly #text = el('span', { 'data-testid': 'progress-text' });

  constructor(name: string, onCancel: () => void) {
    const cancel = textButton('Cancel', 'cancel-load', onCancel, 'link-button');
    this.element = el(
      'section',
      { class: 'card loading', 'data-testid': 'loading' },
      el('div', { class: 'loading-row' }, el('span', { class: 'loading-name' }, `Loading ${name}`), cancel),
      this.#bar,
      this.#text,
    );
  }

  /** Show this much; without progress, that it has begun. */
  update(progress: LoadProgress | undefined): void {
    this.#text.textContent = progress === undefined ? 'Starting …' : progressLine(progress);
    if (progress?.totalBytes) this.#bar.value = Math.min(1, progress.loadedBytes / progress.totalBytes);
    else this.#bar.removeAttribute('value');
  }
}

/** Such as `3.2 MB of 8.6 MB · 21 MB/s · 2 s left`. */
export function progressLine({ stage, loadedBytes, totalBytes, bytesPerSecond, secondsLeft }: LoadProgress): string {
  if (stage === 'kernels' && loadedBytes === 0) return 'Getting ready …';
  if (stage === 'kernels') return `${format.bytes(loadedBytes)} read · getting ready …`;
  return [
    totalBytes === undefined
      ? format.bytes(loadedBytes)
      : `${format.bytes(loadedBytes)} of ${format.bytes(totalBytes)}`,
    bytesPerSecond ? `${format.bytes(bytesPerSecond)}/s` : '',
    secondsLeft === undefined ? '' : `${format.seconds(secondsLeft)} left`,
  ]
    .filter((part) => part !== '')
    .join(' · ');
}
