/** Requests and answers in the shapes of OpenAI's chat completions. */

/** A part of a message; only text so far. */
export interface TextPart {
  readonly type: 'text';
  readonly text: string;
}

/** A call of a tool that the model asked for. */
export interface ToolCall {
  readonly id: string;
  readonly type: 'function';
  readonly function: { readonly name: string /** JSON. */; readonly arguments: string };
}

/** One turn of the conversation. */
export interface ChatMessage {
  readonly role: 'system' | 'developer' | 'user' | 'assistant' | 'tool';
  readonly content?: string | readonly TextPart[] | null;
  readonly name?: string;
  /** What an assistant turn called. */
  readonly tool_calls?: readonly ToolCall[];
  /** Which call a tool turn answers. */
  readonly tool_call_id?: string;
}

/** A tool that the model may call. */
export interface Tool {
  readonly type: 'function';
  readonly function: {
    readonly name: string;
    readonly description?: string;
    /** A JSON schema. */
    readonly parameters?: Readonly<Record<string, unknown>>;
  };
}

/** Whether the model may call a tool. Forcing it to is not supported. */
export type ToolChoice = 'none' | 'auto';

/** What `engine.chat.completions.create` takes. */
export interface ChatCompletionRequest {
  readonly messages: readonly ChatMessage[];
  /** Yield the answer piece by piece. */
  readonly stream?: boolean | null;
  readonly stream_options?: { readonly include_usage?: boolean } | null;
  /** Ends the answer when aborted. */
  readonly signal?: AbortSignal;
  /** Only for compatibility: the engine has one model, whose name the answers carry. */
  readonly model?: string;
  readonly tools?: readonly Tool[];
  readonly tool_choice?: ToolChoice;
  /** Further variables for the model's chat template, such as `enable_thinking`. */
  readonly chat_template_kwargs?: Readonly<Record<string, unknown>>;
  /** Longest answer, in tokens. */
  readonly max_tokens?: number | null;
  /** The newer name of `max_tokens`. */
  readonly max_completion_tokens?: number | null;
  /** 0 takes the likeliest token always. */
  readonly temperature?: number | null;
  readonly top_k?: number | null;
  readonly top_p?: number | null;
  readonly min_p?: number | null;
  readonly seed?: number | null;
  readonly stop?: string | readonly string[] | null;
  readonly frequency_penalty?: number | null;
  readonly presence_penalty?: number | null;
  readonly repetition_penalty?: number | null;
  /** Added to the logits of tokens, by their ids: -100 to 100. */
  readonly logit_bias?: Readonly<Record<string, number>> | null;
  /** Only 1 is possible. */
  readonly n?: 1 | null;
}

/** Why an answer ended. */
export type FinishReason = 'stop' | 'length';

/** Tokens used. */
export interface Usage {
  readonly prompt_tokens: number;
  readonly completion_tokens: number;
  readonly total_tokens: number;
  readonly prompt_tokens_details: { readonly cached_tokens: number };
}

/** Where the time went, in milliseconds. Not part of OpenAI's shape. */
export interface Timings {
  readonly prefill_ms: number;
  readonly decode_ms: number;
}

/** A whole answer. */
export interface ChatCompletion {
  readonly id: string;
  readonly object: 'chat.completion';
  /** Unix time in seconds. */
  readonly created: number;
  readonly model: string;
  readonly choices: readonly [
    {
      readonly index: 0;
      readonly message: { readonly role: 'assistant'; readonly content: string; readonly refusal: null };
      readonly finish_reason: FinishReason;
      readonly logprobs: null;
    },
  ];
  readonly usage: Usage;
  readonly timings: Timings;
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
    readonly index: 0;
    readonly delta: { readonly role?: 'assistant'; readonly content?: string };
    readonly finish_reason: FinishReason | null;
    readonly logprobs: null;
  }[];
  readonly usage?: Usage | null;
  /** With the finish reason. */
  readonly timings?: Timings;
}
