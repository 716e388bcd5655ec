/** What stands under an answer: how long it is, how fast it came, and whether all of it is there. */

import type { Outcome } from '../conversation.js';
import * as format from '../format.js';

/** Tokens a second of a complete answer, where they were measured. */
export function rateOf(outcome: Outcome): number | undefined {
  return outcome.kind === 'done' && outcome.decodeMs > 0 ? (outcome.tokens / outcome.decodeMs) * 1000 : undefined;
}

/** Such as `38 tokens · 120 tokens/s`. */
export function outcomeNote(outcome: Outcome): string {
  if (outcome.kind === 'stopped') return 'stopped';
  if (outcome.kind !== 'done') return '';
  const { tokens, cut } = outcome;
  const rate = rateOf(outcome);
  return [
    `${tokens} ${tokens === 1 ? 'token' : 'tokens'}`,
    rate === undefined ? '' : format.speed(rate),
    cut ? 'cut at the length limit' : '',
  ]
    .filter((part) => part !== '')
    .join(' · ');
}
