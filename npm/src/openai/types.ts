/** Requests and answers in the shapes of OpenAI's chat completions. */

import type { ContentFilter, Segment } from './content-filter.js';
import type { ContentRule } from './content-rules.js';
import type { ChatMessage } from './messages.js';
import type { ResponseFormat } from './response-format.js';
import type { SamplingOptions } from './sampling.js';
import type { Tool, ToolCall, ToolOptions } from './tools.js';

/** Whether and how long a model that can think does so before it answers. */
export interface ReasoningOptions {
  /** `false` asks the model's template for an answer without a thought, where it knows how. */
  readonly enabled?: boolean;
  /** How hard it thinks, where its template knows how to say so; `none` is `enabled: false`. */
  readonly effort?: ReasoningEffort;
  /** Longest thought, in tokens: it is closed when they are spent, and the answer begins. */
  readonly budget_tokens?: number;
}

/** A LoRA adapter that a request chooses. */
export interface AdapterChoice {
  /** The name that it was loaded by. */
  readonly name: string;
  /** The factor of what it changes; by default 1, as it was trained. */
  readonly scale?: number;
}

/** OpenAI's words for how hard a model thinks. */
export type ReasoningEffort = 'none' | 'minimal' | 'low' | 'medium' | 'high' | 'xhigh' | 'max';

/** Options of OpenAI's that ask nothing of a local engine: they may be given, and do nothing. */
export interface NeutralOptions {
  /** The engine has one model, whose name the answers carry. */
  readonly model?: string | null;
  readonly store?: boolean | null;
  readonly metadata?: Readonly<Record<string, string>> | null;
  readonly user?: string | null;
  readonly safety_identifier?: string | null;
  readonly service_tier?: string | null;
  readonly verbosity?: string | null;
  readonly prompt_cache_key?: string | null;
  readonly prediction?: object | null;
  readonly modalities?: readonly ['text'] | null;
}

/** What `engine.chat.completions.create` takes. */
export interface ChatCompletionRequest extends ToolOptions, NeutralOptions, SamplingOptions {
  readonly messages: readonly ChatMessage[];
  /** Yield the answer piece by piece. */
  readonly stream?: boolean | null;
  readonly stream_options?: { readonly include_usage?: boolean; readonly include_obfuscation?: boolean } | null;
  /** Ends the answer when aborted. */
  readonly signal?: AbortSignal;
  /** The form that the answer must have. */
  readonly response_format?: ResponseFormat | null;
  readonly reasoning?: ReasoningOptions | null;
  /** OpenAI's name of `reasoning.effort`. */
  readonly reasoning_effort?: ReasoningEffort | null;
  /** llama.cpp's way to ask for `response_format: { type: 'gbnf', grammar }`. */
  readonly grammar?: string | null;
  /** OpenAI's older form of `tools`. The answer has `tool_calls`. */
  readonly functions?: readonly Tool['function'][] | null;
  /** OpenAI's older form of `tool_choice`. */
  readonly function_call?: 'none' | 'auto' | { readonly name: string } | null;
  /** Texts and expressions that end the answer or are masked in it. */
  readonly content_rules?: readonly ContentRule[] | null;
  /** Looks at the answer's content, a segment at a time, before it is yielded. */
  readonly content_filter?: ContentFilter | null;
  /** Hold content back until a whole one of these is there: `'sentence'` where there is a `content_filter`, else nothing. */
  readonly segment?: Segment | null;
  /** The LoRA adapters that the answer is computed with; none by default. What they change is added up. */
  readonly lora?: readonly AdapterChoice[] | null;
  /** The name of a template: one of several in the model's file, or one that inglenook knows, such as `chatml`. */
  readonly chat_template?: string | null;
  /** Further variables for the template, such as `enable_thinking`. */
  readonly chat_template_kwargs?: Readonly<Record<string, unknown>> | null;
  /** Whether the prompt ends with the opening of an answer; by default it does. */
  readonly add_generation_prompt?: boolean | null;
  /** Go on with the last message, an assistant's, instead of beginning a new one. */
  readonly continue_final_message?: boolean | null;
  /** Whether names of special tokens in messages are these tokens; by default what is said is plain text. */
  readonly parse_special?: boolean | null;
  /** For templates that ask for the time: seconds since 1970 of the user's own clock, by default the machine's. */
  readonly local_time?: number | null;
  /** For templates that take documents to answer from. */
  readonly documents?: readonly Readonly<Record<string, unknown>>[] | null;
  /**
   * What becomes of what does not fit into the context, in the words of OpenAI's Responses. `'auto'` leaves out the oldest turns of a
   * prompt, and of an answer that has filled the context the oldest half behind the system prompt; `'disabled'`, the default, refuses
   * the prompt and ends the answer with `length`.
   */
  readonly truncation?: 'auto' | 'disabled' | null;
  /** How the model writes its tool calls, where its template does not tell, such as `hermes`. */
  readonly tool_dialect?: string | null;
  /** How the model marks its thoughts, where its template does not tell. */
  readonly reasoning_format?: string | null;
}

/**
 * Why an answer ended: by itself or at a stop string, at a limit, to have tools called, or because a content rule or the content
 * filter forbade what came next.
 */
export type FinishReason = 'stop' | 'length' | 'tool_calls' | 'content_filter';

/** A tool call that the model began and did not get right. Its text is part of the content too, so that nothing is lost. */
export interface MalformedToolCall {
  /** Of the call in `tool_calls` that was begun with it, and is void; `null` if none was. */
  readonly index: number | null;
  /** What the model wrote. */
  readonly text: string;
}

/** Tokens used. */
export interface Usage {
  readonly prompt_tokens: number;
  readonly completion_tokens: number;
  readonly total_tokens: number;
  readonly prompt_tokens_details: { readonly cached_tokens: number };
  /** What became of drafted tokens (`speculation`, `draft`), if any were. */
  readonly completion_tokens_details?: {
    readonly accepted_prediction_tokens: number;
    readonly rejected_prediction_tokens: number;
  };
  /** Tokens that were left out under `truncation: 'auto'`, if any were. Not part of OpenAI's shape. */
  readonly truncated_tokens?: number;
}

/** What did not fit into the context and was left out. */
export interface Truncated {
  /** Whole messages of the request. */
  readonly messages: number;
  readonly tokens: number;
}

/** Where the time went, in milliseconds. Not part of OpenAI's shape. */
export interface Timings {
  /** From the request to its first step. */
  readonly queue_ms: number;
  readonly prefill_ms: number;
  readonly decode_ms: number;
}

/** What a model said, ready to be put into the next request's `messages`. */
export interface AssistantMessage {
  readonly role: 'assistant';
  /** `null` if it did nothing but call tools. */
  readonly content: string | null;
  readonly refusal: null;
  /** What it thought before it spoke, if it did. */
  readonly reasoning_content?: string;
  readonly tool_calls?: readonly ToolCall[];
  readonly malformed_tool_calls?: readonly MalformedToolCall[];
}

/** A whole answer. */
export interface ChatCompletion {
  readonly id: string;
  readonly object: 'chat.completion';
  /** Unix time in seconds. */
  readonly created: number;
  readonly model: string;
  /** As many as `n` asks for; one by default. */
  readonly choices: readonly [Choice, ...Choice[]];
  /** Of each token of the prompt but the first, where the request asks for them, as vLLM does. */
  readonly prompt_logprobs?: readonly TokenLogprob[];
  readonly usage: Usage;
  readonly timings: Timings;
}

/** One of the answers to a request. */
export interface Choice {
  readonly index: number;
  readonly message: AssistantMessage;
  readonly finish_reason: FinishReason;
  readonly logprobs: Logprobs | null;
}

/** Log-probabilities of the tokens that a text is made of. */
export interface Logprobs {
  readonly content: readonly TokenLogprob[];
  readonly refusal: null;
}

/** A token with the natural logarithm of its probability by the model's own distribution. */
export interface Logprob {
  readonly token: string;
  readonly logprob: number;
  /** Its bytes: a token may be a part of a character. */
  readonly bytes: readonly number[];
}

/** A token of an answer, and the likeliest ones at its place. */
export interface TokenLogprob extends Logprob {
  readonly top_logprobs: readonly Logprob[];
}

/** More of a tool call: its id and name come first and once, then its arguments piece by piece. */
export interface ToolCallDelta {
  readonly index: number;
  readonly id?: string;
  readonly type?: 'function';
  readonly function: { readonly name?: string; readonly arguments: string };
}

/** What a chunk adds to the answer. */
export interface Delta {
  readonly role?: 'assistant';
  readonly content?: string;
  readonly reasoning_content?: string;
  readonly tool_calls?: readonly ToolCallDelta[];
  /** A call was begun and is void; withdraw what was shown of it. Its text is in this delta's `content`. */
  readonly malformed_tool_call?: MalformedToolCall;
}

/** A piece of an answer. */
export interface ChatCompletionChunk {
  readonly id: string;
  readonly object: 'chat.completion.chunk';
  /** Unix time in seconds. */
  readonly created: number;
  readonly model: string;
  /** One; none in the last chunk, which carries the usage if that was asked for. */
  readonly choices: readonly {
    readonly index: number;
    readonly delta: Delta;
    readonly finish_reason: FinishReason | null;
    /** Of the tokens since the last chunk of this choice, where the request asks for them. */
    readonly logprobs: Logprobs | null;
  }[];
  readonly usage?: Usage | null;
  /** With the finish reason. */
  readonly timings?: Timings;
  /** Of further tokens of the prompt, before the answer, where the request asks for them. */
  readonly prompt_logprobs?: readonly TokenLogprob[];
  /** When something was left out, under `truncation: 'auto'`. Not part of OpenAI's shape. */
  readonly truncated?: Truncated;
}
