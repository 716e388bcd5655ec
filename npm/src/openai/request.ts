/** From the caller's request to the engine's: checked, and free of what the engine does not know. */

import { BadRequestError, UnsupportedError } from '../errors.js';
import type { ChatCompletionRequest, ChatMessage, Tool } from './types.js';

/** The request that the WebAssembly module takes, as JSON. */
export interface WasmRequest {
  readonly messages: readonly WasmMessage[];
  readonly tools?: readonly Tool[];
  readonly chat_template_kwargs?: Readonly<Record<string, unknown>>;
  readonly logit_bias?: Readonly<Record<string, number>>;
  readonly max_tokens?: number;
  readonly temperature?: number;
  readonly top_k?: number;
  readonly top_p?: number;
  readonly min_p?: number;
  readonly seed?: number;
  readonly stop?: readonly string[];
  readonly frequency_penalty?: number;
  readonly presence_penalty?: number;
  readonly repetition_penalty?: number;
}

/** A message whose content is one text. */
export type WasmMessage = Omit<ChatMessage, 'content'> & { readonly content: string };

/** Passed on as they are; their ranges are the engine's to check. */
const NUMBERS = [
  'temperature',
  'top_k',
  'top_p',
  'min_p',
  'seed',
  'frequency_penalty',
  'presence_penalty',
  'repetition_penalty',
] as const;

const KNOWN: ReadonlySet<string> = new Set([
  'messages',
  'stream',
  'stream_options',
  'signal',
  'model',
  'tools',
  'tool_choice',
  'chat_template_kwargs',
  'logit_bias',
  'max_tokens',
  'max_completion_tokens',
  'stop',
  'n',
  ...NUMBERS,
]);

const ROLES: ReadonlySet<string> = new Set(['system', 'developer', 'user', 'assistant', 'tool']);

/**
 * Check the request's form and translate it.
 *
 * @throws BadRequestError for what has the wrong form; UnsupportedError for options this version does not have, since
 * ignoring one would be a silent wrong answer
 */
export function toWasmRequest(request: ChatCompletionRequest): WasmRequest {
  if (typeof request !== 'object' || request === null)
    throw new BadRequestError('Pass a request object with `messages`.');
  for (const [key, value] of Object.entries(request)) {
    if (!KNOWN.has(key) && value !== undefined && value !== null) {
      throw new UnsupportedError(`The option \`${key}\` is not supported. Leave it out.`);
    }
  }
  if (request.n !== undefined && request.n !== null && request.n !== 1) {
    throw new UnsupportedError('Only one answer a request is possible. Leave `n` out, and ask again for another.');
  }
  const numbers: { -readonly [K in (typeof NUMBERS)[number] | 'max_tokens']?: number } = {};
  for (const key of NUMBERS) {
    const value = checkNumber(key, request[key]);
    if (value !== undefined) numbers[key] = value;
  }
  const limit = request.max_completion_tokens ?? request.max_tokens;
  const maxTokens = checkNumber('max_tokens', limit);
  if (maxTokens !== undefined) numbers.max_tokens = maxTokens;
  return {
    messages: toMessages(request.messages),
    ...toTools(request),
    ...(request.chat_template_kwargs ? { chat_template_kwargs: request.chat_template_kwargs } : {}),
    ...(request.logit_bias ? { logit_bias: request.logit_bias } : {}),
    ...toStop(request.stop),
    ...numbers,
  };
}

/** JSON has no NaN or infinity: they would turn into null on the way. */
function checkNumber(key: string, value: unknown): number | undefined {
  if (value === undefined || value === null) return undefined;
  if (typeof value !== 'number' || !Number.isFinite(value)) {
    throw new BadRequestError(`\`${key}\` must be a finite number, not ${String(value)}.`);
  }
  return value;
}

/** A model that must not call a tool is offered none. */
function toTools({ tools, tool_choice: choice = 'auto' }: ChatCompletionRequest): { tools?: readonly Tool[] } {
  if (choice !== 'auto' && choice !== 'none') {
    throw new UnsupportedError('A model cannot be forced to call a tool here. Use `tool_choice` "auto" or "none".');
  }
  return tools === undefined || choice === 'none' ? {} : { tools };
}

function toStop(stop: ChatCompletionRequest['stop']): { stop?: readonly string[] } {
  if (stop === undefined || stop === null) return {};
  const strings = typeof stop === 'string' ? [stop] : stop;
  if (!Array.isArray(strings) || strings.some((text) => typeof text !== 'string' || text === '')) {
    throw new BadRequestError('`stop` must be a string, or an array of strings, none of them empty.');
  }
  return { stop: strings.map((text: string) => text.toWellFormed()) };
}

function toMessages(messages: unknown): WasmMessage[] {
  if (!Array.isArray(messages) || messages.length === 0) {
    throw new BadRequestError(
      '`messages` must be an array of at least one message, such as { role: "user", content: "Hello" }.',
    );
  }
  return messages.map((message: ChatMessage, index) => {
    if (typeof message !== 'object' || message === null || !ROLES.has(message.role)) {
      throw new BadRequestError(`messages[${index}] needs a \`role\` out of ${[...ROLES].join(', ')}.`);
    }
    return { ...message, content: toText(message.content, index) };
  });
}

/** Unpaired surrogates are no text, and JSON would carry them to a parser that refuses them: they become U+FFFD. */
function toText(content: ChatMessage['content'], index: number): string {
  if (content === undefined || content === null) return '';
  if (typeof content === 'string') return content.toWellFormed();
  if (!Array.isArray(content)) {
    throw new BadRequestError(`messages[${index}].content must be a string or an array of text parts.`);
  }
  return content
    .map((part: { readonly type: string; readonly text?: unknown }) => {
      if (part?.type !== 'text') {
        throw new UnsupportedError(
          `messages[${index}] has a part of type \`${String(part?.type)}\`; only text is supported.`,
        );
      }
      if (typeof part.text !== 'string') throw new BadRequestError(`messages[${index}] has a text part without text.`);
      return part.text.toWellFormed();
    })
    .join('');
}
