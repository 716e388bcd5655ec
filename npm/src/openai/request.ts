/** From the caller's request to the engine's: checked, and free of what the engine does not know. */

import { BadRequestError } from '../errors.js';
import type { Segment } from './content-filter.js';
import { toContentRules, type WasmContentRule } from './content-rules.js';
import { checkFields } from './field-policy.js';
import { toMessages, type WasmMessage } from './messages.js';
import { toResponseFormat, type WasmResponseFormat } from './response-format.js';
import { SAMPLING } from './sampling.js';
import { toToolOptions, type WasmToolOptions } from './tools.js';
import type { ChatCompletionRequest, ReasoningOptions } from './types.js';

/** The request that the WebAssembly module takes, as JSON. */
export interface WasmRequest extends WasmToolOptions, Partial<Record<keyof typeof SAMPLING, unknown>> {
  readonly messages: readonly WasmMessage[];
  readonly response_format?: WasmResponseFormat;
  readonly reasoning?: ReasoningOptions;
  readonly content_rules?: readonly WasmContentRule[];
  readonly segment?: Segment;
  readonly stop?: readonly string[];
  readonly dry_sequence_breakers?: readonly string[];
  readonly logit_bias?: Readonly<Record<string, number>>;
  readonly chat_template?: string;
  readonly chat_template_kwargs?: Readonly<Record<string, unknown>>;
  readonly add_generation_prompt?: boolean;
  readonly continue_final_message?: boolean;
  readonly documents?: readonly unknown[];
  readonly tool_dialect?: string;
  readonly reasoning_format?: string;
  readonly functions?: readonly unknown[];
  readonly function_call?: unknown;
  readonly grammar?: string;
  readonly reasoning_effort?: string;
  readonly parse_special?: boolean;
  readonly local_time?: number;
  readonly prompt?: string;
}

/** Options that are passed on as they are, by their types; what they may hold is the engine's to check, and so are their aliases. */
export const PLAIN = {
  ...SAMPLING,
  local_time: 'number',
  prompt: 'string',
  grammar: 'string',
  reasoning_effort: 'string',
  chat_template: 'string',
  tool_dialect: 'string',
  reasoning_format: 'string',
  add_generation_prompt: 'boolean',
  continue_final_message: 'boolean',
  parse_special: 'boolean',
  functions: 'array',
  chat_template_kwargs: 'object',
  documents: 'array',
} as const;

/** Options with a rule of their own. */
export const OWN = [
  'messages',
  'stream',
  'stream_options',
  'tools',
  'tool_choice',
  'parallel_tool_calls',
  'function_call',
  'response_format',
  'reasoning',
  'content_rules',
  'segment',
  'stop',
  'dry_sequence_breakers',
  'logit_bias',
] as const;

const SEGMENTS: ReadonlySet<unknown> = new Set<Segment>(['word', 'sentence', 'line']);

/**
 * Check the request's form and translate it.
 *
 * @throws BadRequestError for what has the wrong form; UnsupportedError for options that do not exist or ask for what cannot be
 * done, since ignoring one would be a silent wrong answer
 */
export function toWasmRequest(request: ChatCompletionRequest): WasmRequest {
  if (typeof request !== 'object' || request === null)
    throw new BadRequestError('Pass a request object with `messages`.');
  checkFields(request);
  toStream(request);
  return {
    messages: toMessages(request.messages),
    ...toToolOptions(request),
    ...toResponseFormat(request.response_format),
    ...toReasoning(request.reasoning),
    ...toContentRules(request.content_rules),
    ...toSegment(request),
    ...toTexts('stop', request.stop),
    ...toTexts('dry_sequence_breakers', request.dry_sequence_breakers),
    ...toLogitBias(request.logit_bias),
    ...toPlain(request),
    ...(isGiven(request.function_call) ? { function_call: request.function_call } : {}),
  };
}

/**
 * The request as the JSON that the module takes. Unpaired surrogates are no text, and a parser would refuse them: they become
 * U+FFFD, wherever they are.
 *
 * @throws BadRequestError for what has no JSON
 */
export function toRequestJson(request: WasmRequest): string {
  try {
    // JSON has them as escapes, the only ones of this form; a backslash before one of our own is itself escaped.
    return JSON.stringify(request).replace(/(?<!\\)((?:\\\\)*)\\ud[89a-f][0-9a-f]{2}/g, '$1\ufffd');
  } catch (cause) {
    throw new BadRequestError(`The request has something that JSON cannot hold (${String(cause)}).`, { cause });
  }
}

function isGiven<T>(value: T | null | undefined): value is T {
  return value !== undefined && value !== null;
}

function toPlain(request: ChatCompletionRequest): Partial<WasmRequest> {
  const fields = request as unknown as Readonly<Record<string, unknown>>;
  const given = Object.entries(PLAIN).filter(([key]) => isGiven(fields[key]));
  return Object.fromEntries(given.map(([key, type]) => [key, checkType(key, fields[key], type)]));
}

function checkType<T>(key: string, value: T, wanted: string): T {
  const found = Array.isArray(value) ? 'array' : typeof value;
  // JSON has no NaN or infinity: they would turn into null on the way.
  if (found !== wanted || (found === 'number' && !Number.isFinite(value))) {
    const what = { number: 'a finite number', boolean: 'true or false', array: 'an array', object: 'an object' }[
      wanted
    ];
    throw new BadRequestError(`\`${key}\` must be ${what ?? 'a string'}, not ${String(value)}.`);
  }
  return value;
}

/** How an answer comes is decided here, and not by the engine. */
function toStream({ stream, stream_options }: ChatCompletionRequest): void {
  if (isGiven(stream)) checkType('stream', stream, 'boolean');
  if (isGiven(stream_options)) checkType('stream_options', stream_options, 'object');
}

const REASONING = { enabled: 'boolean', effort: 'string', budget_tokens: 'number', max_tokens: 'number' } as const;

function toReasoning(reasoning: unknown): { reasoning?: ReasoningOptions } {
  if (!isGiven(reasoning)) return {};
  const given = checkType('reasoning', reasoning, 'object') as Record<string, unknown>;
  const options = Object.entries(REASONING).filter(([key]) => isGiven(given[key]));
  return {
    reasoning: Object.fromEntries(options.map(([key, type]) => [key, checkType(`reasoning.${key}`, given[key], type)])),
  };
}

/** A filter looks at whole segments, sentences unless the caller says otherwise. */
function toSegment({ segment, content_filter }: ChatCompletionRequest): { segment?: Segment } {
  if (isGiven(content_filter) && typeof content_filter !== 'function') {
    throw new BadRequestError('`content_filter` must be a function that gives true, false or a string.');
  }
  const wanted = segment ?? (content_filter ? 'sentence' : undefined);
  if (wanted === undefined) return {};
  if (!SEGMENTS.has(wanted)) throw new BadRequestError('`segment` must be "word", "sentence" or "line".');
  return { segment: wanted };
}

function toTexts(name: 'stop' | 'dry_sequence_breakers', texts: unknown): Partial<WasmRequest> {
  if (!isGiven(texts)) return {};
  const strings: unknown = typeof texts === 'string' ? [texts] : texts;
  if (!Array.isArray(strings) || strings.some((text) => typeof text !== 'string' || text === '')) {
    throw new BadRequestError(`\`${name}\` must be a string, or an array of strings, none of them empty.`);
  }
  return { [name]: strings };
}

function toLogitBias(bias: unknown): { logit_bias?: Readonly<Record<string, number>> } {
  if (!isGiven(bias)) return {};
  const entries = Object.entries(checkType('logit_bias', bias, 'object') as Record<string, unknown>);
  return {
    logit_bias: Object.fromEntries(
      entries.map(([token, value]) => [token, checkType(`logit_bias["${token}"]`, value, 'number') as number]),
    ),
  };
}
