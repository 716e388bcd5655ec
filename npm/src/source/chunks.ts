/** Exact numbers of bytes out of a stream that yields chunks of any size. */

import { BadRequestError } from '../errors.js';

/** Reads forward through a stream, keeping no more than the rest of its last chunk. */
export class ChunkReader {
  readonly #reader: ReadableStreamDefaultReader<unknown>;
  #rest = new Uint8Array(0);

  constructor(stream: ReadableStream<unknown>) {
    this.#reader = stream.getReader();
  }

  /** At most `limit` bytes, at least one; `undefined` at the end of the stream. */
  async take(limit: number): Promise<Uint8Array | undefined> {
    while (this.#rest.length === 0) {
      const { done, value } = await this.#reader.read();
      if (done) return undefined;
      this.#rest = asBytes(value);
    }
    const taken = this.#rest.subarray(0, limit);
    this.#rest = this.#rest.subarray(taken.length);
    return taken;
  }

  /** Tell the other end that no more is wanted. */
  close(): void {
    this.#rest = new Uint8Array(0);
    // A stream that failed already rejects this; there is nobody left to tell.
    this.#reader.cancel().catch(() => undefined);
  }
}

function asBytes(chunk: unknown): Uint8Array<ArrayBuffer> {
  if (chunk instanceof ArrayBuffer) return new Uint8Array(chunk);
  if (ArrayBuffer.isView(chunk)) {
    return new Uint8Array(chunk.buffer as ArrayBuffer, chunk.byteOffset, chunk.byteLength);
  }
  throw new BadRequestError(
    'The model stream must yield bytes (Uint8Array chunks). Pass a byte stream such as `response.body`.',
  );
}
