/** Chat completions of one engine. */

import { ChatStream } from './chat-stream.js';
import { anySignal } from './compat.js';
import type { Connection } from './connection.js';
import { filterContent } from './openai/content-filter.js';
import { toRequestJson } from './openai/request.js';
import { answerHead, toChunks, toCompletion } from './openai/response.js';
import type { ChatCompletion, ChatCompletionRequest } from './openai/types.js';
import type { GenerationEvent } from './protocol.js';
import { type RunToolsRequest, ToolRun } from './run-tools.js';

/** Answers to conversations. */
export class ChatCompletions {
  readonly #connection: Connection;
  readonly #model: string;

  /** @internal */
  constructor(connection: Connection, model: string) {
    this.#connection = connection;
    this.#model = model;
  }

  /**
   * Answer a conversation, whole or as a stream of chunks.
   *
   * @throws InglenookError of the class that names the cause
   */
  create(request: ChatCompletionRequest & { readonly stream: true }): Promise<ChatStream>;
  create(request: ChatCompletionRequest & { readonly stream?: false | null }): Promise<ChatCompletion>;
  create(request: ChatCompletionRequest): Promise<ChatStream | ChatCompletion>;
  async create(request: ChatCompletionRequest): Promise<ChatStream | ChatCompletion> {
    const json = toRequestJson(request);
    const head = answerHead(this.#model);
    const events = async (signal: AbortSignal | undefined): Promise<AsyncIterable<GenerationEvent>> => {
      const all = this.#connection.generate(json, signal);
      await all.begun;
      return request.content_filter ? filterContent(all, request.content_filter, request.n ?? 1) : all;
    };
    if (!request.stream) return toCompletion(await events(request.signal), head);

    const controller = new AbortController();
    const signal = request.signal ? anySignal([request.signal, controller.signal]) : controller.signal;
    const includeUsage = request.stream_options?.include_usage === true;
    return new ChatStream(toChunks(await events(signal), head, includeUsage, request.n ?? 1), controller);
  }

  /**
   * Answer a conversation with tools that are functions: what the model calls is called, and its result given back, until it
   * answers without a call.
   *
   * @throws InglenookError of the class that names the cause, while it is iterated; a tool that throws ends nothing
   */
  runTools(request: RunToolsRequest): ToolRun {
    return new ToolRun((one) => this.create(one), request);
  }
}
