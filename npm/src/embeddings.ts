/** Embeddings and rankings of one engine. */

import type { Connection } from './connection.js';
import { AbortedError, BadRequestError } from './errors.js';
import { encodeRequest } from './openai/request.js';

/** A request for embeddings, as OpenAI's. */
export interface EmbeddingRequest {
  /** A text, texts, the token ids of a text, or those of texts. */
  readonly input:
    | string
    | readonly string[]
    | readonly number[]
    | readonly (readonly number[])[]
    | Uint32Array
    | readonly Uint32Array[];
  /** Length of the vectors: their first numbers, normed again, as models of the Matryoshka kind allow. By default all. */
  readonly dimensions?: number;
  /** `base64` gives the bytes of little-endian 32-bit floats. By default `float`. */
  readonly encoding_format?: 'float' | 'base64';
  /** What goes in front of each text, by the model's name for it, such as `query` or `document`. */
  readonly prompt_name?: string;
  /** What goes in front of each text. */
  readonly prompt?: string;
  /** Leave out what is too much of a text. By default such a text is a `BadRequestError`. */
  readonly truncate?: boolean;
  /** Make vectors one long. By default `true`. */
  readonly normalize?: boolean;
  /** Ignored: there is one model. */
  readonly model?: string;
  /** Ignored. */
  readonly user?: string;
  /** Gives up waiting. */
  readonly signal?: AbortSignal;
}

/** A text's vector. */
export interface Embedding<Numbers = number[]> {
  readonly object: 'embedding';
  /** Its place in the request. */
  readonly index: number;
  readonly embedding: Numbers;
}

/** Vectors of texts, as OpenAI's. */
export interface EmbeddingResponse<Numbers = number[]> {
  readonly object: 'list';
  readonly data: readonly Embedding<Numbers>[];
  readonly model: string;
  readonly usage: { readonly prompt_tokens: number; readonly total_tokens: number };
}

/** A request to rank documents. */
export interface RerankRequest {
  readonly query: string;
  readonly documents: readonly (string | { readonly text: string })[];
  /** How many of the best are wanted. By default all. */
  readonly top_n?: number;
  /** What a document is to do with the query, for models that are told. */
  readonly instruction?: string;
  /** Give the documents back with their scores. */
  readonly return_documents?: boolean;
  /** Leave out what is too much of a document. By default such a document is a `BadRequestError`. */
  readonly truncate?: boolean;
  /** Give what the model's classifier gives, and not probabilities. */
  readonly raw_scores?: boolean;
  /** Ignored: there is one model. */
  readonly model?: string;
  /** Gives up waiting. */
  readonly signal?: AbortSignal;
}

/** Documents, the best first. */
export interface RerankResponse {
  readonly results: readonly {
    /** Its place in the request. */
    readonly index: number;
    /** How well it answers the query, from 0 to 1. */
    readonly relevance_score: number;
    readonly document?: { readonly text: string };
  }[];
  readonly model: string;
  readonly usage: { readonly total_tokens: number };
}

/** Embeddings of texts: `engine.embeddings.create({ input })`. */
export class Embeddings {
  readonly #connection: Connection;
  readonly #model: string;

  /** @internal */
  constructor(connection: Connection, model: string) {
    this.#connection = connection;
    this.#model = model;
  }

  /**
   * Embed texts.
   *
   * @throws InglenookError of the class that names the cause
   */
  create(request: EmbeddingRequest & { readonly encoding_format: 'base64' }): Promise<EmbeddingResponse<string>>;
  create(request: EmbeddingRequest & { readonly encoding_format?: 'float' }): Promise<EmbeddingResponse>;
  create(request: EmbeddingRequest): Promise<EmbeddingResponse<number[] | string>>;
  async create(request: EmbeddingRequest): Promise<EmbeddingResponse<number[] | string>> {
    const { signal, input, ...fields } = checked(request);
    const question = { about: 'embeddings', request: encodeRequest({ ...fields, input: plain(input) }) } as const;
    const [tokens, count, numbers] = await until(signal, this.#connection.ask(question));
    const width = numbers.length / count;
    const encode = fields.encoding_format === 'base64' ? toBase64 : (vector: Float32Array) => Array.from(vector);
    const data = Array.from({ length: count }, (_, index) => {
      const embedding = encode(numbers.subarray(index * width, (index + 1) * width));
      return { object: 'embedding' as const, index, embedding };
    });
    return { object: 'list', data, model: this.#model, usage: { prompt_tokens: tokens, total_tokens: tokens } };
  }
}

/** What {@link RerankRequest} asks of the engine. */
export async function rerank(connection: Connection, model: string, request: RerankRequest): Promise<RerankResponse> {
  const { signal, documents, ...fields } = checked(request);
  if (!Array.isArray(documents)) throw new BadRequestError('Pass `documents`, a list of texts.');
  const texts = documents.map((document) => (typeof document === 'object' ? document?.text : document));
  const question = { about: 'ranking', request: encodeRequest({ ...fields, documents: texts }) } as const;
  const { results, tokens } = await until(signal, connection.ask(question));
  return {
    results: results.map(({ index, score }) => ({
      index,
      relevance_score: score,
      ...(fields.return_documents === true && { document: { text: texts[index] ?? '' } }),
    })),
    model,
    usage: { total_tokens: tokens },
  };
}

function checked<Request extends { readonly signal?: AbortSignal }>(request: Request): Request {
  if (typeof request !== 'object' || request === null) throw new BadRequestError('Pass a request object.');
  if (request.signal?.aborted) throw new AbortedError('The request was aborted before it began.');
  return request;
}

/** Typed arrays would become objects in JSON. */
function plain(input: EmbeddingRequest['input']): unknown {
  if (input instanceof Uint32Array) return Array.from(input);
  return Array.isArray(input) ? input.map((item) => (item instanceof Uint32Array ? Array.from(item) : item)) : input;
}

/** What comes of a promise, unless the signal is aborted before. */
function until<T>(signal: AbortSignal | undefined, promise: Promise<T>): Promise<T> {
  if (signal === undefined) return promise;
  return new Promise((resolve, reject) => {
    const abort = () => reject(new AbortedError('The request was aborted.'));
    signal.addEventListener('abort', abort, { once: true });
    promise.then(resolve, reject).finally(() => signal.removeEventListener('abort', abort));
  });
}

/** The bytes of little-endian floats: every machine with WebAssembly has them so. */
function toBase64(vector: Float32Array): string {
  const bytes = new Uint8Array(vector.buffer, vector.byteOffset, vector.byteLength);
  return btoa(Array.from(bytes, (byte) => String.fromCharCode(byte)).join(''));
}
