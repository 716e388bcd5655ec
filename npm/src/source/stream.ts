/** A `ReadableStream` of the caller's, which runs forward only. */

import { BadFileError, InglenookError } from '../errors.js';
import { ChunkReader } from './chunks.js';
import type { ByteSource } from './source.js';

/**
 * Read a stream from its start to its end.
 *
 * @param size its length in bytes, where the caller knows it
 */
export function streamSource(stream: ReadableStream<unknown>, size?: number): ByteSource {
  const chunks = new ChunkReader(stream);
  let position = 0;

  async function forward(limit: number): Promise<Uint8Array | undefined> {
    try {
      const chunk = await chunks.take(limit);
      position += chunk?.length ?? 0;
      return chunk;
    } catch (cause) {
      if (cause instanceof InglenookError) throw cause;
      throw new BadFileError(`The model stream broke off after ${position} bytes (${String(cause)}). Start it again.`, {
        cause,
      });
    }
  }

  return {
    size,
    sequential: true,
    async read(offset, length) {
      if (offset < position) {
        throw new BadFileError(
          'This model file has to be read out of order, which a stream cannot do. Pass its URL, or a Blob, instead.',
        );
      }
      while (position < offset && (await forward(offset - position)) !== undefined);
      return fill(length, forward);
    },
    close: () => chunks.close(),
  };
}

/** Gather `length` bytes; fewer only if `next` comes to its end. */
export async function fill(
  length: number,
  next: (limit: number) => Promise<Uint8Array | undefined>,
): Promise<Uint8Array> {
  const piece = new Uint8Array(length);
  let filled = 0;
  while (filled < length) {
    const chunk = await next(length - filled);
    if (chunk === undefined) return piece.subarray(0, filled);
    piece.set(chunk, filled);
    filled += chunk.length;
  }
  return piece;
}
