/** Content rules: texts that must never be seen, and what happens instead. */

import { BadRequestError, UnsupportedError } from '../errors.js';
import { toRustRegex } from './regex.js';

/** What ends or masks an answer. No part of a match is ever yielded, also where it comes in pieces. */
export interface ContentRule {
  /** A text as it stands, or an expression with the flags i, m, s and u. */
  readonly match: string | RegExp;
  /** `'stop'`, the default, ends the answer before the match with the finish reason `content_filter`; `'mask'` goes on after it. */
  readonly action?: 'stop' | 'mask';
  /** What stands in the place of a masked match; by default nothing. */
  readonly mask?: string;
}

/** A rule as the engine takes it. */
export interface WasmContentRule {
  readonly match: string | { readonly regex: string };
  readonly action: 'stop' | 'mask';
  readonly mask?: string;
}

const KEYS: ReadonlySet<string> = new Set(['match', 'action', 'mask']);

/**
 * Check and translate the rules of a request.
 *
 * @throws BadRequestError, UnsupportedError; both name the rule
 */
export function toContentRules(rules: unknown): { content_rules?: readonly WasmContentRule[] } {
  if (rules === undefined || rules === null) return {};
  if (!Array.isArray(rules)) throw new BadRequestError('`content_rules` must be an array of { match, action, mask }.');
  return rules.length === 0 ? {} : { content_rules: rules.map(toRule) };
}

function toRule(rule: unknown, index: number): WasmContentRule {
  const place = `content_rules[${index}]`;
  if (typeof rule !== 'object' || rule === null) throw new BadRequestError(`${place} must be like { match: "…" }.`);
  const unknown = Object.keys(rule).find((key) => !KEYS.has(key));
  if (unknown !== undefined)
    throw new UnsupportedError(`${place} has \`${unknown}\`, which no rule has. Leave it out.`);
  const { match, action = 'stop', mask } = rule as Partial<ContentRule>;
  if (!(match instanceof RegExp) && (typeof match !== 'string' || match === '')) {
    throw new BadRequestError(`${place}.match must be a text that is not empty, or a RegExp.`);
  }
  if (action !== 'stop' && action !== 'mask') throw new BadRequestError(`${place}.action must be "stop" or "mask".`);
  if (mask !== undefined && (typeof mask !== 'string' || action !== 'mask')) {
    throw new BadRequestError(`${place}.mask must be a string, beside the action "mask".`);
  }
  return {
    match: match instanceof RegExp ? { regex: toRustRegex(match) } : match,
    action,
    ...(mask === undefined ? {} : { mask }),
  };
}
