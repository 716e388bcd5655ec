/** Reading as it is asked for, and no further. */

import type { ByteSource, PieceSource } from './source.js';

/** Read a source piece by piece, each into memory of its own. */
export function pieces(source: ByteSource): PieceSource & { close(): void } {
  return {
    // Of some files the length shows only at their end.
    get size() {
      return source.size;
    },
    async read(offset, length) {
      const bytes = new Uint8Array(length);
      return bytes.subarray(0, await source.readInto(offset, bytes));
    },
    close: () => source.close?.(),
  };
}
