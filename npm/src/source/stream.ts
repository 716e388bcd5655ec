/** A `ReadableStream` of the caller's, which runs forward only. */

import { BadFileError, InglenookError } from '../errors.js';
import { ChunkReader, fill } from './chunks.js';
import type { ByteSource } from './source.js';

/**
 * Read a stream from its start to its end.
 *
 * @param size its length in bytes, where the caller knows it
 */
export function streamSource(stream: ReadableStream<unknown>, size?: number): ByteSource {
  const chunks = new ChunkReader(stream);
  let position = 0;

  async function next(limit: number): Promise<Uint8Array | undefined> {
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
    async readInto(offset, target) {
      if (offset < position) {
        throw new BadFileError(
          'This model file has to be read out of order, which a stream cannot do. Pass its URL, or a Blob, instead.',
        );
      }
      while (position < offset && (await next(offset - position)) !== undefined);
      return fill(target, next);
    },
    close: () => chunks.close(),
  };
}
