/** The turns of a conversation, in OpenAI's shapes: their types, and the check of their form. */

import { BadRequestError, UnsupportedError } from '../errors.js';
import type { ToolCall } from './tools.js';

/** A part of a message that is text. */
export interface TextPart {
  readonly type: 'text';
  readonly text: string;
}

/** An image. `applyChatTemplate` shows where it goes; a model of text refuses it. */
export interface ImagePart {
  readonly type: 'image_url';
  readonly image_url: { readonly url: string };
}

/** A recording. `applyChatTemplate` shows where it goes; a model of text refuses it. */
export interface AudioPart {
  readonly type: 'input_audio';
  readonly input_audio: { readonly data: string; readonly format: string };
}

/** A file. `applyChatTemplate` shows where it goes; a model of text refuses it. */
export interface FilePart {
  readonly type: 'file';
  readonly file: Readonly<Record<string, unknown>>;
}

/** What an assistant turn thought before it spoke, as Mistral's and Anthropic's APIs have it. */
export interface ThinkingPart {
  readonly type: 'thinking';
  readonly thinking: string | readonly TextPart[];
}

/** The same in another spelling. */
export interface ReasoningPart {
  readonly type: 'reasoning';
  readonly text?: string;
  readonly reasoning?: string;
}

/** What an assistant turn said instead of an answer. */
export interface RefusalPart {
  readonly type: 'refusal';
  readonly refusal: string;
}

/** What a message consists of, where it is more than one text. Texts alone become lines of one, unless the template takes parts. */
export type ContentPart = TextPart | ImagePart | AudioPart | FilePart | ThinkingPart | ReasoningPart | RefusalPart;

/** One turn of the conversation. An answer's message can be put here as it came. */
export interface ChatMessage {
  readonly role: 'system' | 'developer' | 'user' | 'assistant' | 'tool' | 'function';
  /** `null`, or nothing, where an assistant turn only called tools. */
  readonly content?: string | readonly ContentPart[] | null;
  readonly name?: string;
  /** What an assistant turn thought before it spoke. Whether the model sees it again is its template's choice. */
  readonly reasoning_content?: string | null;
  /** What an assistant turn said instead of an answer. */
  readonly refusal?: string | null;
  /** What an assistant turn called. */
  readonly tool_calls?: readonly ToolCall[];
  /** Which call a tool turn answers. */
  readonly tool_call_id?: string;
}

/** A turn as the engine takes it: its content is never left out. */
export type WasmMessage = ChatMessage & { readonly content: string | readonly ContentPart[] | null };

const ROLES: ReadonlySet<string> = new Set(['system', 'developer', 'user', 'assistant', 'tool', 'function']);
const PARTS: ReadonlySet<unknown> = new Set<ContentPart['type']>([
  'text',
  'image_url',
  'input_audio',
  'file',
  'thinking',
  'reasoning',
  'refusal',
]);

/**
 * Check the form of a conversation. Which roles and orders a model's template takes is the engine's to say.
 *
 * @throws BadRequestError, UnsupportedError; both name the message
 */
export function toMessages(messages: unknown): WasmMessage[] {
  if (!Array.isArray(messages) || messages.length === 0) {
    throw new BadRequestError(
      '`messages` must be an array of at least one message, such as { role: "user", content: "Hello" }.',
    );
  }
  return messages.map((message: ChatMessage, index) => {
    const place = `messages[${index}]`;
    if (typeof message !== 'object' || message === null || !ROLES.has(message.role)) {
      throw new BadRequestError(`${place} needs a \`role\` out of ${[...ROLES].join(', ')}.`);
    }
    for (const key of ['name', 'reasoning_content', 'tool_call_id'] as const) {
      if (message[key] !== undefined && message[key] !== null && typeof message[key] !== 'string') {
        throw new BadRequestError(`${place}.${key} must be a string.`);
      }
    }
    checkCalls(message.tool_calls, place);
    return { ...message, content: toContent(message.content, place) };
  });
}

function toContent(content: ChatMessage['content'], place: string): WasmMessage['content'] {
  if (content === undefined || content === null) return null;
  if (typeof content === 'string') return content;
  if (!Array.isArray(content)) throw new BadRequestError(`${place}.content must be a string or an array of parts.`);
  for (const part of content as readonly (Partial<ContentPart> | null)[]) {
    if (!PARTS.has(part?.type)) {
      const known = [...PARTS].join(', ');
      throw new UnsupportedError(`${place} has a part of type \`${String(part?.type)}\`; the types are ${known}.`);
    }
    if (part?.type === 'text' && typeof part.text !== 'string') {
      throw new BadRequestError(`${place} has a text part without text.`);
    }
  }
  return content;
}

function checkCalls(calls: unknown, place: string): void {
  if (calls === undefined || calls === null) return;
  if (!Array.isArray(calls)) throw new BadRequestError(`${place}.tool_calls must be an array.`);
  calls.forEach((call: Partial<ToolCall> | null, index) => {
    const { name, arguments: given } = call?.function ?? {};
    if (typeof name !== 'string' || typeof given !== 'string') {
      throw new BadRequestError(
        `${place}.tool_calls[${index}].function needs a \`name\`, and its \`arguments\` as the text of a JSON object.`,
      );
    }
  });
}
