/** Content rules: texts that must never be seen, and what happens instead. */

/** What ends or masks an answer. No part of a match is ever yielded, also where it comes in pieces. */
export interface ContentRule {
  /** A text as it stands, or an expression with the flags i, m, s and u. */
  readonly match: string | RegExp;
  /** `'stop'`, the default, ends the answer before the match with the finish reason `content_filter`; `'mask'` goes on after it. */
  readonly action?: 'stop' | 'mask';
  /** What stands in the place of a masked match; by default `***`. */
  readonly mask?: string;
}
