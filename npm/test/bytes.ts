/** Bytes to test with. */

import { expect } from 'vitest';
import type { ByteSource, PieceSource } from '../src/source/source.js';

/** Bytes that differ from their neighbours and do not repeat within 64 KiB, so that a shift shows. */
export function pattern(length: number): Uint8Array<ArrayBuffer> {
  return Uint8Array.from({ length }, (_, index) => (index * 31 + (index >> 8) * 17) & 0xff);
}

/** A file that the stand-in takes for a model. */
export function fakeModelFile(length: number): Uint8Array<ArrayBuffer> {
  const bytes = pattern(length);
  bytes.set(new TextEncoder().encode('GGUF'));
  return bytes;
}

/** Everything a source has, read from start to end in pieces of at most this size. */
export async function readWhole(source: ByteSource | PieceSource, pieceSize: number): Promise<Uint8Array> {
  const pieces: Uint8Array[] = [];
  for (let offset = 0; ; ) {
    const piece = await readAt(source, offset, pieceSize);
    if (piece.length === 0) break;
    pieces.push(piece);
    offset += piece.length;
  }
  return new Uint8Array(await new Blob(pieces as BlobPart[]).arrayBuffer());
}

/** A copy of `length` bytes at `offset`, fewer only where the file ends. */
export async function readAt(source: ByteSource | PieceSource, offset: number, length: number): Promise<Uint8Array> {
  const target = new Uint8Array(length);
  if ('readInto' in source) return target.subarray(0, await source.readInto(offset, target));
  let filled = 0;
  while (filled < length) {
    const piece = await source.read(offset + filled, length - filled);
    if (piece.length === 0) break;
    target.set(piece, filled);
    filled += piece.length;
  }
  return target.subarray(0, filled);
}

/** Compared as one value: element by element, a megabyte takes seconds. */
export function expectBytes(actual: Uint8Array, expected: Uint8Array): void {
  expect(actual.length).toBe(expected.length);
  expect(Buffer.compare(actual, expected)).toBe(0);
}
