/**
 * Reading ahead, so that the network and the GPU work at the same time.
 *
 * The file is fetched in blocks, one after the other; a few blocks around the reader's position are kept. That also lets a
 * forward-only source serve the small steps back that reading a header takes.
 */

import { BadRequestError } from '../errors.js';
import { type ByteSource, LONGEST_READ } from './source.js';

const BLOCK = 2 << 20;
/** Blocks fetched before they are asked for: one full piece. */
const AHEAD = LONGEST_READ / BLOCK;
/** Blocks kept behind the reader. */
const BEHIND = 1;

/** Wrap a source so that its next blocks are on their way before they are asked for. */
export function readAhead(source: ByteSource, block = BLOCK): ByteSource {
  const blocks = new Map<number, Promise<Uint8Array>>();
  // A connection delivers in order, so blocks are fetched one at a time.
  let queue: Promise<unknown> = Promise.resolve();

  function fetchBlock(index: number): Promise<Uint8Array> {
    const known = blocks.get(index);
    if (known !== undefined) return known;
    const fetched = queue.then(() => source.read(index * block, block));
    // Whoever waits for this block gets the failure; the queue goes on, and a later read may try again.
    queue = fetched.catch(() => blocks.delete(index));
    blocks.set(index, fetched);
    return fetched;
  }

  function keepOnly(first: number, last: number): void {
    for (const index of blocks.keys()) {
      if (index < first - BEHIND || index > last + AHEAD) blocks.delete(index);
    }
  }

  return {
    size: source.size,
    sequential: source.sequential,
    async read(offset, length) {
      checkRange(offset, length);
      const end = Math.min(offset + length, source.size ?? Number.POSITIVE_INFINITY);
      if (end <= offset) return new Uint8Array(0);
      const first = Math.floor(offset / block);
      const last = Math.floor((end - 1) / block);
      keepOnly(first, last);
      const wanted: Promise<Uint8Array>[] = [];
      for (let index = first; index <= last + AHEAD; index += 1) {
        if (index > last && source.size !== undefined && index * block >= source.size) break;
        const fetched = fetchBlock(index);
        if (index <= last) wanted.push(fetched);
      }
      return join(await Promise.all(wanted), offset - first * block, end - offset);
    },
    close: () => {
      blocks.clear();
      source.close?.();
    },
  };
}

function checkRange(offset: number, length: number): void {
  if (!Number.isSafeInteger(offset) || offset < 0 || !Number.isInteger(length) || length < 0 || length > LONGEST_READ) {
    throw new BadRequestError(
      `A model is read in pieces of at most ${LONGEST_READ} bytes, not ${length} at ${offset}.`,
    );
  }
}

/** `length` bytes from `skip` on of the blocks laid end to end, fewer where they end. Copies only across a border. */
function join(blocks: Uint8Array[], skip: number, length: number): Uint8Array {
  const [only] = blocks;
  if (only !== undefined && blocks.length === 1) return only.subarray(skip, skip + length);
  const piece = new Uint8Array(length);
  let filled = 0;
  for (const [index, bytes] of blocks.entries()) {
    const part = bytes.subarray(index === 0 ? skip : 0).subarray(0, length - filled);
    piece.set(part, filled);
    filled += part.length;
  }
  return piece.subarray(0, filled);
}
