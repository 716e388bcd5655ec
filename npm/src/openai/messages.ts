/** The turns of a conversation, in OpenAI's shapes: their types, and the check of their form. */

import { BadRequestError, UnsupportedError } from '../errors.js';
import type { ToolCall } from './tools.js';

/** A part of a message; only text so far. */
export interface TextPart {
  readonly type: 'text';
  readonly text: string;
}

/** One turn of the conversation. An answer's message can be put here as it came. */
export interface ChatMessage {
  readonly role: 'system' | 'developer' | 'user' | 'assistant' | 'tool';
  /** `null`, or nothing, where an assistant turn only called tools. */
  readonly content?: string | readonly TextPart[] | null;
  readonly name?: string;
  /** What an assistant turn thought before it spoke. Whether the model sees it again is its template's choice. */
  readonly reasoning_content?: string | null;
  /** What an assistant turn called. */
  readonly tool_calls?: readonly ToolCall[];
  /** Which call a tool turn answers. */
  readonly tool_call_id?: string;
}

/** A turn as the engine takes it: its content is one text, or none. */
export type WasmMessage = Omit<ChatMessage, 'content'> & { readonly content: string | null };

const ROLES: ReadonlySet<string> = new Set(['system', 'developer', 'user', 'assistant', 'tool']);

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
    // An answer's message may stand here as it came; these two say something of the answer and nothing to the model.
    const { refusal, malformed_tool_calls, ...turn } = message as ChatMessage & Record<string, unknown>;
    return { ...turn, content: toText(message.content, place) };
  });
}

function toText(content: ChatMessage['content'], place: string): string | null {
  if (content === undefined || content === null) return null;
  if (typeof content === 'string') return content;
  if (!Array.isArray(content)) {
    throw new BadRequestError(`${place}.content must be a string or an array of text parts.`);
  }
  return content
    .map((part: { readonly type: string; readonly text?: unknown }) => {
      if (part?.type !== 'text') {
        throw new UnsupportedError(`${place} has a part of type \`${String(part?.type)}\`; only text is supported.`);
      }
      if (typeof part.text !== 'string') throw new BadRequestError(`${place} has a text part without text.`);
      return part.text;
    })
    .join('');
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
