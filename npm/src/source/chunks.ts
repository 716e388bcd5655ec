/** Bytes out of a stream that yields chunks of any size. */

import { BadRequestError } from '../errors.js';

const SCRATCH = 512 << 10;

/** Reads forward through a stream, keeping no more than the rest of its last chunk. */
export class ChunkReader {
  readonly #stream: Chunks;
  #rest: Uint8Array = new Uint8Array(0);

  constructor(stream: ReadableStream<unknown>) {
    this.#stream = byteChunks(stream) ?? plainChunks(stream);
  }

  /** At most `limit` bytes, at least one, to be copied before the next call; `undefined` at the end of the stream. */
  async take(limit: number): Promise<Uint8Array | undefined> {
    while (this.#rest.length === 0) {
      const chunk = await this.#stream.next();
      if (chunk === undefined) return undefined;
      this.#rest = chunk;
    }
    const taken = this.#rest.subarray(0, limit);
    this.#rest = this.#rest.subarray(taken.length);
    return taken;
  }

  /** Tell the other end that no more is wanted. */
  close(): void {
    this.#rest = new Uint8Array(0);
    // A stream that failed already rejects this; there is nobody left to tell.
    this.#stream.cancel().catch(() => undefined);
  }
}

interface Chunks {
  next(): Promise<Uint8Array | undefined>;
  cancel(): Promise<void>;
}

/**
 * A byte stream fills the same buffer again and again. Left to make its own chunks, it would leave hundreds of megabytes of them
 * to the garbage collector before that wakes up.
 */
function byteChunks(stream: ReadableStream<unknown>): Chunks | undefined {
  let reader: ReadableStreamBYOBReader;
  try {
    reader = (stream as ReadableStream<Uint8Array<ArrayBuffer>>).getReader({ mode: 'byob' });
  } catch {
    // Not a byte stream, or not in this browser.
    return undefined;
  }
  let scratch = new ArrayBuffer(SCRATCH);
  return {
    async next() {
      // The read takes the buffer over, and hands it back with the bytes.
      const { done, value } = await reader.read(new Uint8Array(scratch));
      if (value !== undefined) scratch = value.buffer;
      return done ? undefined : value;
    },
    cancel: () => reader.cancel(),
  };
}

function plainChunks(stream: ReadableStream<unknown>): Chunks {
  const reader = stream.getReader();
  return {
    async next() {
      const { done, value } = await reader.read();
      return done ? undefined : asBytes(value);
    },
    cancel: () => reader.cancel(),
  };
}

function asBytes(chunk: unknown): Uint8Array {
  if (chunk instanceof ArrayBuffer) return new Uint8Array(chunk);
  if (ArrayBuffer.isView(chunk)) return new Uint8Array(chunk.buffer, chunk.byteOffset, chunk.byteLength);
  throw new BadRequestError(
    'The model stream must yield bytes (Uint8Array chunks). Pass a byte stream such as `response.body`.',
  );
}

/** Fill `target` from `next`, as far as that goes; returns how many bytes came. */
export async function fill(
  target: Uint8Array,
  next: (limit: number) => Promise<Uint8Array | undefined>,
): Promise<number> {
  let filled = 0;
  while (filled < target.length) {
    const chunk = await next(target.length - filled);
    if (chunk === undefined) break;
    target.set(chunk, filled);
    filled += chunk.length;
  }
  return filled;
}
