/** The engine, as callers hold it. */

import { ChatStream } from './chat-stream.js';
import type { Connection } from './connection.js';
import { BadRequestError } from './errors.js';
import type { Counters, EngineInfo } from './info.js';
import { toWasmRequest } from './openai/request.js';
import { answerHead, toChunks, toCompletion } from './openai/response.js';
import type { ChatCompletion, ChatCompletionRequest } from './openai/types.js';

/** One model, loaded and ready. Made by `createEngine`. */
export class Engine {
  /** What is loaded, and on which device. */
  readonly info: EngineInfo;
  /** As in OpenAI's client: `engine.chat.completions.create({ messages })`. */
  readonly chat: { readonly completions: ChatCompletions };
  readonly #connection: Connection;

  /** @internal */
  constructor(connection: Connection, info: EngineInfo) {
    this.#connection = connection;
    this.info = info;
    this.chat = { completions: new ChatCompletions(connection, info.model.name) };
  }

  /** How many tokens a text is, without any chat template around it. */
  async countTokens(text: string): Promise<number> {
    if (typeof text !== 'string')
      throw new BadRequestError('Pass the text whose tokens are to be counted, as a string.');
    return (await this.#connection.call({ type: 'countTokens', text: text.toWellFormed() })) as number;
  }

  /** GPU counters since loading, for benchmarks and tests. */
  async counters(): Promise<Counters> {
    return (await this.#connection.call({ type: 'counters' })) as Counters;
  }

  /** End all answers under way and give all memory back. Once is enough; more does no harm. */
  close(): Promise<void> {
    return this.#connection.close();
  }
}

/** Chat completions of one engine. */
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
    const checked = toWasmRequest(request);
    const head = answerHead(this.#model);
    if (!request.stream) return toCompletion(this.#connection.generate(checked, request.signal), head);

    const controller = new AbortController();
    const signal = request.signal ? AbortSignal.any([request.signal, controller.signal]) : controller.signal;
    const events = this.#connection.generate(checked, signal);
    return new ChatStream(toChunks(events, head, request.stream_options?.include_usage === true), controller);
  }
}
