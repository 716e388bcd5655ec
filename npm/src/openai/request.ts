/**
 * From the caller's request to the JSON that the engine reads. What a request may hold is the engine's to check
 * (core/src/engine/request/fields.json); here is only what JavaScript has and JSON has not.
 */

import { BadRequestError, InglenookError } from '../errors.js';
import type { RequestJson } from '../protocol.js';
import { toRustRegex } from './regex.js';
import type { ChatCompletionRequest } from './types.js';

/**
 * The request as JSON, without what stays on this side: its signal, and its filter, which looks at whole segments, sentences unless the
 * caller says otherwise.
 *
 * Unpaired surrogates are no text, and a parser would refuse them: they become U+FFFD, wherever they are.
 *
 * @throws BadRequestError for what has no JSON; UnsupportedError for expressions that the engine cannot run
 */
export function toRequestJson(request: ChatCompletionRequest): RequestJson {
  if (typeof request !== 'object' || request === null)
    throw new BadRequestError('Pass a request object with `messages`.');
  const { signal: _, content_filter, ...fields } = request;
  if (typeof (content_filter ?? toJson) !== 'function') {
    throw new BadRequestError('`content_filter` must be a function that gives true, false or a string.');
  }
  const segment = fields.segment ?? (content_filter ? 'sentence' : undefined);
  return encodeRequest({ ...fields, segment });
}

/** The fields of a request as JSON. */
export function encodeRequest(fields: object): RequestJson {
  try {
    // JSON has them as escapes, the only ones of this form; a backslash before one of our own is itself escaped.
    return JSON.stringify(fields, toJson).replace(/(?<!\\)((?:\\\\)*)\\ud[89a-f][0-9a-f]{2}/g, '$1\ufffd');
  } catch (cause) {
    if (cause instanceof InglenookError) throw cause;
    throw new BadRequestError(`The request has something that JSON cannot hold (${String(cause)}).`, { cause });
  }
}

/** Puts an expression into the engine's notation where one may stand. A number that JSON would make null without a word is an error. */
function toJson(key: string, value: unknown): unknown {
  if (value instanceof RegExp && key === 'match') return { regex: toRustRegex(value) };
  if (value instanceof RegExp && key === 'regex') return toRustRegex(value);
  if (value instanceof RegExp || (typeof value === 'number' && !Number.isFinite(value))) {
    throw new BadRequestError(`\`${key}\` cannot be ${String(value)}, which JSON does not have.`);
  }
  return value;
}
