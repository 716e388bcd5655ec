/** Tools that a model may call, in OpenAI's shapes. */

/** A tool that the model may call. */
export interface Tool {
  readonly type: 'function';
  readonly function: {
    readonly name: string;
    /** When to call it, and what it gives: for the model to read. */
    readonly description?: string;
    /** A JSON schema of its arguments, which are an object. */
    readonly parameters?: Readonly<Record<string, unknown>>;
    /** Hold the arguments to the schema while they are written: a call then always fits it. */
    readonly strict?: boolean | null;
  };
}

/** A call of a tool that the model asked for. */
export interface ToolCall {
  readonly id: string;
  readonly type: 'function';
  readonly function: {
    readonly name: string;
    /** The text of a JSON object. */
    readonly arguments: string;
  };
}

/**
 * Whether the model may call tools (`'auto'`, the default), must not (`'none'`), must call at least one (`'required'`), must
 * call this one, or may or must call one of these.
 */
export type ToolChoice =
  | 'none'
  | 'auto'
  | 'required'
  | NamedTool
  | {
      readonly type: 'allowed_tools';
      readonly allowed_tools: { readonly mode: 'auto' | 'required'; readonly tools: readonly NamedTool[] };
    };

/** A tool of `tools`, by its name. */
export interface NamedTool {
  readonly type: 'function';
  readonly function: { readonly name: string };
}

/** What a request says on tools. */
export interface ToolOptions {
  readonly tools?: readonly Tool[] | null;
  readonly tool_choice?: ToolChoice | null;
  /** `false` holds an answer to one call at most. */
  readonly parallel_tool_calls?: boolean | null;
}
