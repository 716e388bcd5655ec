/** The turns of a conversation, in OpenAI's shapes. */

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
