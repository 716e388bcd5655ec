import { expect, test } from 'vitest';
import { expectBytes, pattern, readAt, readWhole } from '../../test/bytes.js';
import { BadFileError, BadRequestError } from '../errors.js';
import { blobSource } from './blob.js';
import { portStream, servePort } from './port-stream.js';
import { readAhead } from './read-ahead.js';
import { type ByteSource, LONGEST_READ } from './source.js';
import { streamSource } from './stream.js';

const FILE = pattern(1_000_003);

/** A stream of FILE in chunks of this size. */
function chunked(size: number, onCancel?: () => void): ReadableStream<Uint8Array> {
  let offset = 0;
  return new ReadableStream({
    pull(controller) {
      if (offset >= FILE.length) return controller.close();
      controller.enqueue(FILE.slice(offset, offset + size));
      offset += size;
    },
    cancel: () => onCancel?.(),
  });
}

/** A source over FILE that notes what is asked of it, and can fail. */
function noted(size: number | undefined = FILE.length): ByteSource & { reads: [number, number][]; failAt?: number } {
  const reads: [number, number][] = [];
  return {
    size,
    reads,
    async readInto(offset, target) {
      reads.push([offset, target.length]);
      if (this.failAt === offset) throw new BadFileError('broken');
      const bytes = FILE.subarray(offset, offset + target.length);
      target.set(bytes);
      return bytes.length;
    },
  };
}

test('a blob is read by ranges, and ends where it ends', async () => {
  const source = blobSource(new Blob([FILE]));
  expect(source.size).toBe(FILE.length);
  expectBytes(await readAt(source, 31, 1757), FILE.subarray(31, 31 + 1757));
  expectBytes(await readAt(source, FILE.length - 5, 10), FILE.subarray(FILE.length - 5));
  expect(await readAt(source, FILE.length + 5, 10)).toHaveLength(0);
});

test('a file that vanished since it was picked says so', async () => {
  const gone = {
    size: 10,
    slice: () => ({ arrayBuffer: () => Promise.reject(new DOMException('', 'NotReadableError')) }),
  };
  await expect(readAt(blobSource(gone as unknown as Blob), 0, 4)).rejects.toThrow(/Pick it again/);
});

test.each([1, 31, 65_536, 3_000_000])('a stream in chunks of %i bytes arrives whole', async (size) => {
  const file = size === 1 ? FILE.subarray(0, 300) : FILE;
  const source = streamSource(size === 1 ? new Blob([file]).stream() : chunked(size), file.length);
  expectBytes(await readWhole(source, 33_333), file);
});

test('a stream skips forward and refuses to go back', async () => {
  const source = streamSource(chunked(1000));
  expectBytes(await readAt(source, 123_456, 10), FILE.subarray(123_456, 123_466));
  await expect(readAt(source, 0, 10)).rejects.toThrow(BadFileError);
});

test('a stream that breaks off says after how many bytes', async () => {
  let pulls = 0;
  const broken = new ReadableStream({
    pull(controller) {
      pulls += 1;
      if (pulls > 2) controller.error(new TypeError('network error'));
      else controller.enqueue(new Uint8Array(100));
    },
  });
  await expect(readAt(streamSource(broken), 0, 1000)).rejects.toThrow(/broke off after 200 bytes/);
});

test('a stream of strings is refused', async () => {
  const texts = new ReadableStream({ start: (controller) => controller.enqueue('GGUF') });
  await expect(readAt(streamSource(texts), 0, 4)).rejects.toThrow(BadRequestError);
});

test('a stream goes through a port chunk by chunk', async () => {
  const done = new AbortController();
  const source = streamSource(portStream(servePort(chunked(70_000), done.signal)), FILE.length);
  expectBytes(await readWhole(source, 100_000), FILE);
  done.abort();
});

test('a stream behind a port is read no further than asked, and cancelled when done', async () => {
  let cancelled = false;
  const done = new AbortController();
  const stream = chunked(1000, () => {
    cancelled = true;
  });
  const source = streamSource(portStream(servePort(stream, done.signal)));
  await readAt(source, 0, 1500);
  done.abort();
  await expect.poll(() => cancelled).toBe(true);
});

test('an error of a stream behind a port comes through', async () => {
  const done = new AbortController();
  const broken = new ReadableStream({ pull: (controller) => controller.error(new Error('disk on fire')) });
  await expect(readAt(streamSource(portStream(servePort(broken, done.signal))), 0, 4)).rejects.toThrow(/disk on fire/);
  done.abort();
});

test.each([1, 31, 1757, 65_536, LONGEST_READ])('reading ahead changes no byte, in pieces of %i', async (piece) => {
  const blob = new Blob([FILE.subarray(0, piece === 1 ? 500 : FILE.length)]);
  expectBytes(await readWhole(readAhead(blobSource(blob), 4096), piece), new Uint8Array(await blob.arrayBuffer()));
});

test('the next blocks are on their way before they are asked for, in order, and none twice', async () => {
  const inner = noted();
  const source = readAhead(inner, 1000);
  await readAt(source, 0, 10);
  await expect
    .poll(() => inner.reads)
    .toEqual([
      [0, 1000],
      [1000, 1000],
      [2000, 1000],
    ]);
  expectBytes(await readAt(source, 900, 300), FILE.subarray(900, 1200));
  expectBytes(await readAt(source, 10, 300), FILE.subarray(10, 310));
  await expect.poll(() => inner.reads.slice(3)).toEqual([[3000, 1000]]);
});

test('nothing is read ahead past the end', async () => {
  const inner = noted();
  const source = readAhead(inner, 600_000);
  expectBytes(await readAt(source, 999_999, 100), FILE.subarray(999_999));
  expect(inner.reads).toEqual([[600_000, 600_000]]);
});

test('a source of unknown length ends with a short piece', async () => {
  expectBytes(await readWhole(readAhead(streamSource(chunked(999)), 4096), 10_000), FILE);
});

test('a stream read ahead can step back a little', async () => {
  const source = readAhead(streamSource(chunked(999)), 4096);
  await readAt(source, 0, 5000);
  expectBytes(await readAt(source, 1000, 100), FILE.subarray(1000, 1100));
});

test('a failure ahead of time is told to whoever asks for that block, and a retry may work', async () => {
  const inner = noted();
  inner.failAt = 1000;
  const source = readAhead(inner, 1000);
  expectBytes(await readAt(source, 0, 1000), FILE.subarray(0, 1000));
  await expect(readAt(source, 500, 1000)).rejects.toThrow('broken');
  inner.failAt = -1;
  expectBytes(await readAt(source, 500, 1000), FILE.subarray(500, 1500));
});

test.each([
  [-1, 10],
  [0, LONGEST_READ + 1],
  [0.5, 10],
  [0, Number.NaN],
  [2 ** 60, 10],
])('a read of range %d + %d is refused', async (offset, length) => {
  await expect(readAhead(noted()).read(offset, length)).rejects.toThrow(BadRequestError);
});
