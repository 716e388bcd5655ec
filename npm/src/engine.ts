/** The engine, as callers hold it. */

import { ChatCompletions } from './chat-completions.js';
import { wellFormed } from './compat.js';
import type { Connection } from './connection.js';
import { Embeddings, type RerankRequest, type RerankResponse, rerank } from './embeddings.js';
import { BadRequestError } from './errors.js';
import type { Counters, EngineInfo } from './info.js';
import { toRequestJson } from './openai/request.js';
import type { ChatCompletionRequest } from './openai/types.js';
import type { ModelSpec } from './protocol.js';

/**
 * Where a LoRA adapter comes from: a GGUF file's URL (in Node, its path, too), or a `File` or other `Blob`. Of a folder as PEFT saves it, its URL
 * with a `/` at the end, in Node its path, or its `File`s.
 */
export type AdapterSource = string | URL | Blob | Iterable<File>;

/** How `engine.tokenize` reads a text. */
export interface TokenizeOptions {
  /**
   * Whether the texts of special tokens, such as `<|im_end|>`, become those tokens, as they do in a prompt that a template made.
   * By default a text is only a text.
   */
  readonly special?: boolean;
}

/** A token and its place: it stands for `text.slice(start, end)`. */
export interface TokenWithOffsets {
  readonly id: number;
  readonly start: number;
  readonly end: number;
}

/** One model, loaded and ready. Made by `createEngine`. */
export class Engine {
  /** What is loaded, and on which device. */
  readonly info: EngineInfo;
  /** As in OpenAI's client: `engine.chat.completions.create({ messages })`. */
  readonly chat: { readonly completions: ChatCompletions };
  /** As in OpenAI's client: `engine.embeddings.create({ input })`. */
  readonly embeddings: Embeddings;
  readonly #connection: Connection;
  readonly #specOf: (adapter: AdapterSource) => ModelSpec;

  /** @internal */
  constructor(connection: Connection, info: EngineInfo, specOf: (adapter: AdapterSource) => ModelSpec) {
    this.#connection = connection;
    this.#specOf = specOf;
    this.info = info;
    this.embeddings = new Embeddings(connection, info.model.name);
    this.chat = { completions: new ChatCompletions(connection, info.model.name) };
  }

  /**
   * Documents by how well they answer a query, the best first. Models with a classifier give its score; others are asked whether a document
   * answers the query, as Qwen3's rerankers are.
   */
  rerank(request: RerankRequest): Promise<RerankResponse> {
    return rerank(this.#connection, this.info.model.name, request);
  }

  /** The ids of a text's tokens, without any chat template or further tokens around it. */
  async tokenize(text: string, options: TokenizeOptions = {}): Promise<Uint32Array> {
    return this.#connection.ask({ about: 'tokens', text: checkText(text), special: options.special === true });
  }

  /**
   * A text's tokens with their places in it, in JavaScript's own units: each stands for `text.slice(start, end)`. Tokens that share a
   * character have all of it.
   */
  async tokenizeWithOffsets(text: string, options: TokenizeOptions = {}): Promise<TokenWithOffsets[]> {
    const special = options.special === true;
    const numbers = await this.#connection.ask({ about: 'offsets', text: checkText(text), special });
    return Array.from({ length: numbers.length / 3 }, (_, index) => {
      const [id = 0, start = 0, end = 0] = numbers.subarray(3 * index);
      return { id, start, end };
    });
  }

  /** The text of tokens, special ones included. Ids that the model does not have are a `BadRequestError`. */
  async detokenize(ids: Iterable<number>): Promise<string> {
    const tokens = Array.from(ids);
    const wrong = tokens.find((id) => !Number.isInteger(id) || id < 0 || id > 0xffff_ffff);
    if (wrong !== undefined)
      throw new BadRequestError(`${wrong} is no id of a token, which is a whole number from 0 up.`);
    return this.#connection.ask({ about: 'text', tokens: Uint32Array.from(tokens) });
  }

  /** How many tokens a text is, without any chat template around it. */
  async countTokens(text: string): Promise<number> {
    return this.#connection.ask({ about: 'tokenCount', text: checkText(text) });
  }

  /** The prompt that a request becomes: its messages, tools and documents through the model's chat template. */
  async applyChatTemplate(request: ChatCompletionRequest): Promise<string> {
    return this.#connection.ask({ about: 'prompt', request: toRequestJson(request) });
  }

  /**
   * Load a LoRA adapter beside the model, so that requests can choose it by this name: `lora: [{ name }]`. Answers under way go on
   * meanwhile. One for another model is a `BadFileError`, and a name that another has a `BadRequestError`.
   */
  async loadAdapter(name: string, adapter: AdapterSource): Promise<void> {
    await this.#connection.ask({ about: 'newAdapter', name: checkText(name), adapter: this.#specOf(adapter) });
  }

  /** Take an adapter away. Answers that have it keep it. */
  async unloadAdapter(name: string): Promise<void> {
    await this.#connection.ask({ about: 'oldAdapter', name: checkText(name) });
  }

  /** GPU counters since loading, for benchmarks and tests. */
  async counters(): Promise<Counters> {
    return this.#connection.ask({ about: 'counters' });
  }

  /** End all answers under way and give all memory back. Once is enough; more does no harm. */
  close(): Promise<void> {
    return this.#connection.close();
  }
}

/** Unpaired surrogates are no text: they become U+FFFD. */
function checkText(text: unknown): string {
  if (typeof text !== 'string') throw new BadRequestError('Pass the text as a string.');
  return wellFormed(text);
}
