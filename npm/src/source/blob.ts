/** A `File` that the user picked, or any other `Blob`. */

import { BadFileError } from '../errors.js';
import type { ByteSource } from './source.js';

/** Read a blob by slices; the browser reads from disk no more than each slice. */
export function blobSource(blob: Blob): ByteSource {
  return {
    size: blob.size,
    async read(offset, length) {
      try {
        return new Uint8Array(await blob.slice(offset, offset + length).arrayBuffer());
      } catch (cause) {
        // The browser refuses a file whose size or time changed since the user picked it.
        throw new BadFileError('The file cannot be read any more: it was changed, moved or deleted. Pick it again.', {
          cause,
        });
      }
    },
  };
}
