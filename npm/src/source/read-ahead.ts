/**
 * Reading ahead, so that the network and the GPU work at the same time.
 *
 * The file is fetched in blocks, one after the other, into a few buffers that are used again and again; a block or two around
 * the reader's position are kept. That also lets a forward-only source serve the small steps back that reading a header takes.
 */

import { BadRequestError } from '../errors.js';
import { type ByteSource, LONGEST_READ, type PieceSource } from './source.js';

const BLOCK = 2 << 20;
/** Blocks fetched before they are asked for. */
const AHEAD = 2;
/** Blocks kept behind the reader. */
const BEHIND = 1;

/** One fetched block: its bytes, fewer than a block's only where the file ends. */
type Block = Promise<Uint8Array>;

/** Wrap a source so that its next blocks are on their way before they are asked for. */
export function readAhead(source: ByteSource, block = BLOCK): PieceSource & { close(): void } {
  const blocks = new Map<number, Block>();
  const free: ArrayBuffer[] = [];
  // A connection delivers in order, so blocks are fetched one at a time.
  let queue: Promise<unknown> = Promise.resolve();

  function fetchBlock(index: number): Block {
    const known = blocks.get(index);
    if (known !== undefined) return known;
    const fetched = queue.then(async () => {
      const buffer = free.pop() ?? new ArrayBuffer(block);
      const length = await source.readInto(index * block, new Uint8Array(buffer));
      return new Uint8Array(buffer, 0, length);
    });
    // Whoever waits for this block gets the failure; the queue goes on, and a later read may try again.
    queue = fetched.catch(() => blocks.delete(index));
    blocks.set(index, fetched);
    return fetched;
  }

  /** Forget what is far from this block; the buffers come back once their bytes are there. */
  function keepAround(current: number): void {
    for (const [index, fetched] of blocks) {
      if (index >= current - BEHIND && index <= current + AHEAD) continue;
      blocks.delete(index);
      fetched.then(
        (bytes) => free.push(bytes.buffer as ArrayBuffer),
        () => undefined,
      );
    }
  }

  return {
    size: source.size,
    async read(offset, length) {
      checkRange(offset, length);
      if (length === 0 || offset >= (source.size ?? Number.POSITIVE_INFINITY)) return new Uint8Array(0);
      const current = Math.floor(offset / block);
      keepAround(current);
      const fetched = fetchBlock(current);
      for (let index = current + 1; index <= current + AHEAD; index += 1) {
        if (source.size === undefined || index * block < source.size) fetchBlock(index).catch(() => undefined);
      }
      const skip = offset - current * block;
      return (await fetched).subarray(skip, skip + length);
    },
    close: () => {
      blocks.clear();
      free.length = 0;
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
