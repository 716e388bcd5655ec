/** Tools that a model may call, in OpenAI's shapes: their types, and the check of their form. */

import { BadRequestError } from '../errors.js';

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

/** The same, as the engine takes it: nothing is there that says nothing. */
export interface WasmToolOptions {
  readonly tools?: readonly Tool[];
  readonly tool_choice?: ToolChoice;
  readonly parallel_tool_calls?: boolean;
}

/**
 * Check the form of what a request says on tools.
 *
 * @throws BadRequestError that names the tool, or a choice that fits none
 */
export function toToolOptions({ tools, tool_choice, parallel_tool_calls }: ToolOptions): WasmToolOptions {
  const names = checkTools(tools ?? []);
  const choice = tool_choice ?? undefined;
  checkChoice(choice, names);
  if (typeof (parallel_tool_calls ?? true) !== 'boolean') {
    throw new BadRequestError('`parallel_tool_calls` must be true or false.');
  }
  if (names.size === 0) return {};
  return {
    ...(tools ? { tools } : {}),
    ...(choice === undefined ? {} : { tool_choice: choice }),
    ...(typeof parallel_tool_calls === 'boolean' ? { parallel_tool_calls } : {}),
  };
}

function checkTools(tools: unknown): ReadonlySet<string> {
  if (!Array.isArray(tools)) throw new BadRequestError('`tools` must be an array.');
  const names = new Set<string>();
  tools.forEach((tool: Partial<Tool> | null, index) => {
    const place = `tools[${index}]`;
    const { name, parameters } = tool?.function ?? {};
    if (tool?.type !== 'function' || typeof name !== 'string' || name === '') {
      throw new BadRequestError(
        `${place} must be like { type: "function", function: { name: "…", parameters: {…} } }.`,
      );
    }
    if (parameters !== undefined && (typeof parameters !== 'object' || parameters === null)) {
      throw new BadRequestError(`${place}.function.parameters must be a JSON schema, as an object.`);
    }
    if (names.has(name)) throw new BadRequestError(`${place} has the name of another tool, \`${name}\`. Rename one.`);
    names.add(name);
  });
  return names;
}

function checkChoice(choice: unknown, names: ReadonlySet<string>): void {
  if (choice === undefined || choice === 'none' || choice === 'auto') return;
  const { function: one, allowed_tools } = choice as {
    function?: Partial<NamedTool['function']>;
    allowed_tools?: unknown;
  };
  const isWord = choice === 'required' || choice === 'any';
  // What is wrong with a list of allowed tools is the engine's to say.
  if (!isWord && typeof one?.name !== 'string' && typeof allowed_tools !== 'object') {
    throw new BadRequestError(
      '`tool_choice` must be "none", "auto", "required" or { type: "function", function: { name } }.',
    );
  }
  if (names.size === 0) throw new BadRequestError('`tool_choice` asks for a call, but there are no `tools` to call.');
  if (typeof one?.name === 'string' && !names.has(one.name)) {
    throw new BadRequestError(`\`tool_choice\` names \`${one.name}\`, which is none of the \`tools\`.`);
  }
}
