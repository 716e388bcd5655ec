/** A streamed answer. */

import { BadRequestError } from './errors.js';
import type { ChatCompletionChunk } from './openai/types.js';

/**
 * The pieces of one answer, to be iterated once. Leaving the loop ends the answer, as does `abort()` and the request's signal;
 * after either of those two the loop throws an `AbortedError`.
 */
export class ChatStream implements AsyncIterable<ChatCompletionChunk> {
  readonly #chunks: AsyncGenerator<ChatCompletionChunk, void, undefined>;
  readonly #controller: AbortController;
  #consumed = false;

  /** @internal */
  constructor(chunks: AsyncGenerator<ChatCompletionChunk, void, undefined>, controller: AbortController) {
    this.#chunks = chunks;
    this.#controller = controller;
  }

  /** End the answer now. */
  abort(): void {
    this.#controller.abort();
  }

  [Symbol.asyncIterator](): AsyncIterator<ChatCompletionChunk, void, undefined> {
    if (this.#consumed) {
      throw new BadRequestError('A stream can be iterated only once. Keep its chunks if you need them again.');
    }
    this.#consumed = true;
    return this.#chunks;
  }
}
