/** A `File` that the user picked, or any other `Blob`. */

import { BadFileError } from '../errors.js';
import type { ByteSource } from './source.js';

/**
 * Read a blob by slices.
 *
 * Its stream would do without the copies, but in Chromium 156 the reads of one into a given buffer now and then never end.
 */
export function blobSource(blob: Blob): ByteSource {
  return {
    size: blob.size,
    async readInto(offset, target) {
      const bytes = await slice(blob, offset, offset + target.length);
      target.set(new Uint8Array(bytes));
      const length = bytes.byteLength;
      free(bytes);
      return length;
    },
  };
}

async function slice(blob: Blob, start: number, end: number): Promise<ArrayBuffer> {
  try {
    return await blob.slice(start, end).arrayBuffer();
  } catch (cause) {
    // The browser refuses a file whose size or time changed since the user picked it.
    throw new BadFileError('The file cannot be read any more: it was changed, moved or deleted. Pick it again.', {
      cause,
    });
  }
}

/** Give a buffer's memory back now: the garbage collector lets hundreds of megabytes of them gather first. */
function free(buffer: ArrayBuffer): void {
  // Absent in Node 20, where blobs are rare and small.
  buffer.transfer?.(0);
}
