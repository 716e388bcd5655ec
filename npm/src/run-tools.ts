/** The tool loop: what the model calls is called, and its result given back, until it answers without a call. */

import { anySignal } from './compat.js';
import { AbortedError, BadRequestError } from './errors.js';
import { MessageBuilder } from './openai/delta.js';
import type { ChatMessage } from './openai/messages.js';
import type { Tool, ToolCall } from './openai/tools.js';
import type { ChatCompletionChunk, ChatCompletionRequest } from './openai/types.js';

/** A tool that is a function of the caller's. */
export interface RunnableTool extends Tool {
  readonly function: Tool['function'] & {
    /**
     * Called with the arguments that the model gave: they fit `parameters` for certain only where the tool is `strict`. What it
     * gives, or throws, is told to the model: a string as it is, all else as JSON.
     *
     * A method and not a property, so that a function that asks for certain arguments may stand here.
     */
    function(args: Record<string, unknown>, context: { readonly signal: AbortSignal }): unknown;
  };
}

/** What `engine.chat.completions.runTools` takes: a request, its tools being functions. */
export interface RunToolsRequest extends Omit<ChatCompletionRequest, 'tools' | 'stream'> {
  readonly tools: readonly RunnableTool[];
  /** How often the model may answer, 10 by default. In the last round it is offered no call, so that it has to speak. */
  readonly maxRounds?: number;
}

/** What happens in a run, in order. */
export type ToolRunEvent =
  /** More of an answer; each round is one answer with chunks of its own. */
  | { readonly type: 'chunk'; readonly round: number; readonly chunk: ChatCompletionChunk }
  /** What a call of this round gave, as the model is told it; `failed` if it threw, or could not be called. */
  | {
      readonly type: 'result';
      readonly round: number;
      readonly call: ToolCall;
      readonly content: string;
      readonly failed: boolean;
    };

/** What answers in a run: an engine's `chat.completions.create`, or anything of its shape. */
export type CreateStream = (
  request: ChatCompletionRequest & { readonly stream: true },
) => Promise<AsyncIterable<ChatCompletionChunk>>;
type Result = Pick<Extract<ToolRunEvent, { type: 'result' }>, 'content' | 'failed'>;

/** One run, to be iterated once. Leaving the loop ends it, as do `abort()` and the request's signal. */
export class ToolRun implements AsyncIterable<ToolRunEvent> {
  /** The conversation so far: the request's messages, and whole turns of the run as they come to their ends. */
  readonly messages: ChatMessage[];
  readonly #create: CreateStream;
  readonly #request: RunToolsRequest;
  readonly #controller = new AbortController();
  #begun = false;

  /** `engine.chat.completions.runTools(request)` is the short form. */
  constructor(create: CreateStream, request: RunToolsRequest) {
    const { messages, tools, maxRounds = 10 } = request ?? {};
    if (!Array.isArray(messages)) throw new BadRequestError('Pass a request object with `messages` and `tools`.');
    if (!Array.isArray(tools) || tools.some((tool) => typeof tool?.function?.function !== 'function')) {
      throw new BadRequestError(
        '`tools` must be an array, and each tool of it have its `function.function` to be called.',
      );
    }
    if (!Number.isSafeInteger(maxRounds) || maxRounds < 1) {
      throw new BadRequestError('`maxRounds` must be a whole number, at least 1.');
    }
    if ((request.n ?? 1) !== 1) {
      throw new BadRequestError('Leave `n` out: a run goes on from the one answer of each round.');
    }
    this.messages = [...messages];
    this.#create = create;
    this.#request = request;
  }

  /** End it now: the answer under way and, where they heed their signal, the tools that run. */
  abort(): void {
    this.#controller.abort();
  }

  async *[Symbol.asyncIterator](): AsyncGenerator<ToolRunEvent, void, undefined> {
    if (this.#begun)
      throw new BadRequestError('A run can be iterated only once. Keep its events if you need them again.');
    this.#begun = true;
    const { maxRounds = 10, ...request } = this.#request;
    const own = this.#controller.signal;
    const signal = request.signal ? anySignal([request.signal, own]) : own;
    try {
      for (let round = 1; round <= maxRounds; round += 1) {
        const choice = round === maxRounds ? 'none' : round === 1 ? request.tool_choice : 'auto';
        const calls = yield* this.#answer(round, { ...request, tool_choice: choice ?? 'auto', signal });
        if (calls.length === 0 || round === maxRounds) return;
        yield* this.#call(round, calls, signal);
      }
    } finally {
      // Who leaves the loop while tools run wants none of them any more.
      this.#controller.abort();
    }
  }

  /** One answer of the model's. @returns what is to be called; nothing of an answer that was filtered */
  async *#answer(
    round: number,
    request: Omit<ChatCompletionRequest, 'stream'>,
  ): AsyncGenerator<ToolRunEvent, readonly ToolCall[], undefined> {
    const message = new MessageBuilder();
    let filtered = false;
    const tools = this.#request.tools.map(({ type, function: { function: _, ...signature } }) => ({
      type,
      function: signature,
    }));
    for await (const chunk of await this.#create({ ...request, tools, messages: [...this.messages], stream: true })) {
      const [choice] = chunk.choices;
      message.add(choice?.delta ?? {});
      filtered ||= choice?.finish_reason === 'content_filter';
      yield { type: 'chunk', round, chunk };
    }
    const answer = message.build();
    this.messages.push(answer);
    return filtered ? [] : (answer.tool_calls ?? []);
  }

  /** Call what was called, all at once; the results come in the order of the calls. */
  async *#call(round: number, calls: readonly ToolCall[], signal: AbortSignal): AsyncGenerator<ToolRunEvent> {
    const running = calls.map((call) => ({ call, result: this.#execute(call, signal) }));
    for (const { call, result } of running) {
      const { content, failed } = await unlessAborted(result, signal);
      this.messages.push({ role: 'tool', tool_call_id: call.id, name: call.function.name, content });
      yield { type: 'result', round, call, content, failed };
    }
  }

  /** Never throws: what goes wrong is what the model is told, and can react to. */
  async #execute({ function: { name, arguments: given } }: ToolCall, signal: AbortSignal): Promise<Result> {
    try {
      const tool = this.#request.tools.find((one) => one.function.name === name);
      if (tool === undefined) throw new Error(`there is no tool ${name}`);
      const value = await tool.function.function(JSON.parse(given), { signal });
      return { content: typeof value === 'string' ? value : (JSON.stringify(value) ?? 'null'), failed: false };
    } catch (error) {
      return {
        content: JSON.stringify({ error: error instanceof Error ? error.message : String(error) }),
        failed: true,
      };
    }
  }
}

/** A tool may not heed its signal; the run does not wait for it. */
async function unlessAborted<T>(promise: Promise<T>, signal: AbortSignal): Promise<T> {
  let abort = (): void => undefined;
  const aborted = new Promise<never>((_, reject) => {
    abort = () => reject(new AbortedError('The run was aborted while a tool was running.'));
  });
  signal.addEventListener('abort', abort, { once: true });
  if (signal.aborted) abort();
  try {
    return await Promise.race([promise, aborted]);
  } finally {
    signal.removeEventListener('abort', abort);
  }
}
