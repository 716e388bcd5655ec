import { afterEach, beforeEach, expect, test } from 'vitest';
import { expectBytes, pattern, readAt, readWhole } from '../../test/bytes.js';
import { type HostileServer, hostileServer } from '../../test/hostile-server.js';
import { BadFileError, DownloadError } from '../errors.js';
import { type HttpOptions, httpSource, MissingFileError } from './http.js';

const FILE = pattern(3_000_001);
const QUICK: HttpOptions = { attempts: 4, backoff: 1, stall: 150 };

let server: HostileServer;
beforeEach(async () => {
  server = await hostileServer(FILE);
});
afterEach(() => server.close());

test('a file arrives whole over one connection', async () => {
  const source = await httpSource(server.url, QUICK);
  expect(source.size).toBe(FILE.length);
  expect(source.sequential).toBe(false);
  expectBytes(await readWhole(source, 65_537), FILE);
  expect(server.ranges).toEqual(['bytes=0-']);
});

test('a far jump makes a new request, a near one does not', async () => {
  const source = await httpSource(server.url, QUICK);
  expectBytes(await readAt(source, 1000, 10), FILE.subarray(1000, 1010));
  expectBytes(await readAt(source, 500_000, 10), FILE.subarray(500_000, 500_010));
  expectBytes(await readAt(source, 2_900_000, 10), FILE.subarray(2_900_000, 2_900_010));
  expectBytes(await readAt(source, 3, 10), FILE.subarray(3, 13));
  expect(server.ranges).toEqual(['bytes=0-', 'bytes=2900000-', 'bytes=3-']);
  source.close?.();
});

test('a connection cut again and again is resumed at the byte where it broke', async () => {
  server.faults.cutAfter = 300_000;
  const source = await httpSource(server.url, QUICK);
  expectBytes(await readWhole(source, 250_000), FILE);
  // What the client has when the connection breaks is its own network stack's matter, but it never starts over.
  expect(server.ranges.length).toBeGreaterThanOrEqual(10);
  expect(server.ranges.slice(1)).not.toContain('bytes=0-');
});

test('a server without ranges that is cut off is read again and skipped forward', async () => {
  server.faults.noRanges = true;
  server.faults.cutAfter = 600_000;
  const source = await httpSource(server.url, QUICK);
  expect(source.sequential).toBe(true);
  expect(source.size).toBe(FILE.length);
  const first = await readAt(source, 0, 500_000);
  delete server.faults.cutAfter;
  const rest = await readAt(source, 500_000, 3_000_000);
  expectBytes(first, FILE.subarray(0, 500_000));
  expectBytes(rest, FILE.subarray(500_000));
});

test('a connection without progress is given up after the stated number of failures', async () => {
  server.faults.cutAfter = 10;
  const source = await httpSource(server.url, QUICK);
  const error = await readAt(source, 0, 1000).catch((thrown: unknown) => thrown);
  expect(error).toBeInstanceOf(DownloadError);
  expect((error as Error).message).toMatch(/broke off after \d+ bytes/);
  expect(server.ranges.length).toBeLessThanOrEqual(4);
});

test('silence counts as a broken connection', async () => {
  server.faults.stallAfter = 300_000;
  const source = await httpSource(server.url, QUICK);
  const reading = readAt(source, 0, 400_000);
  setTimeout(() => delete server.faults.stallAfter, 50);
  expectBytes(await reading, FILE.subarray(0, 400_000));
  expect(server.ranges).toHaveLength(2);
});

test('a server that sends long ranges in parts is asked for the next part', async () => {
  server.faults.partLength = 900_000;
  const source = await httpSource(server.url, QUICK);
  expect(source.size).toBe(FILE.length);
  expectBytes(await readWhole(source, 1 << 20), FILE);
  expect(server.ranges).toHaveLength(4);
});

test('where CORS hides Content-Range, length and position are still right', async () => {
  server.faults.hideRange = true;
  server.faults.cutAfter = 400_000;
  const source = await httpSource(server.url, QUICK);
  expect(source.size).toBe(FILE.length);
  expectBytes(await readWhole(source, 1 << 18), FILE);
});

test('a Content-Length that promises too much is an error, not a hang', async () => {
  server.faults.excessLength = 50;
  const source = await httpSource(server.url, QUICK);
  expect(source.size).toBe(FILE.length + 50);
  await expect(readWhole(source, 1 << 18)).rejects.toThrow(/shorter than it said/);
});

test('without any length the file is read to its end', async () => {
  server.faults.noRanges = true;
  server.faults.noLength = true;
  const source = await httpSource(server.url, QUICK);
  expect(source.size).toBeUndefined();
  expectBytes(await readWhole(source, 1 << 18), FILE);
});

test('a file that changes between two connections is noticed', async () => {
  server.faults.cutAfter = 300_000;
  const source = await httpSource(server.url, QUICK);
  await readAt(source, 0, 10);
  server.etag = '"two"';
  await expect(readWhole(source, 1 << 18)).rejects.toThrow(BadFileError);
});

test.each([
  [404, /no file at this address/],
  [410, /no file at this address/],
  [401, /refuses/],
  [403, /refuses/],
])('HTTP %i says what to do, at once', async (status, message) => {
  server.faults.status = status;
  const error = await httpSource(server.url, QUICK).catch((thrown: unknown) => thrown);
  expect(error).toBeInstanceOf(DownloadError);
  expect((error as Error).message).toMatch(message);
  expect((error as Error).message).toContain(server.url);
  expect(server.ranges).toHaveLength(1);
});

test.each([400, 405, 416, 501])('HTTP %i to everything is final after the plain request', async (status) => {
  server.faults.status = status;
  if (status === 501) server.faults.statusTimes = 2;
  const opening = httpSource(server.url, { ...QUICK, attempts: 1 });
  await expect(opening).rejects.toThrow(DownloadError);
  expect(server.ranges).toEqual(['bytes=0-', undefined]);
});

test('a server that is busy for a while is asked again', async () => {
  Object.assign(server.faults, { status: 503, statusTimes: 2 });
  const source = await httpSource(server.url, QUICK);
  expectBytes(await readAt(source, 0, 10), FILE.subarray(0, 10));
  expect(server.ranges).toHaveLength(3);
});

test('a server that stays busy is given up', async () => {
  server.faults.status = 503;
  await expect(httpSource(server.url, QUICK)).rejects.toThrow(/HTTP 503/);
  expect(server.ranges).toHaveLength(4);
});

test('a web page is not taken for a model', async () => {
  server.faults.contentType = 'text/html; charset=utf-8';
  await expect(httpSource(server.url, QUICK)).rejects.toThrow(/web page/);
});

test('a host out of reach is an error of its own', async () => {
  await server.close();
  await expect(httpSource(server.url, QUICK)).rejects.toThrow(/could not be started/);
  server = await hostileServer(FILE);
});

test('headers of the caller go with each request', async () => {
  await httpSource(server.url, { ...QUICK, headers: { Authorization: 'Bearer key' } });
  expect(server.headers.authorization).toBe('Bearer key');
});

test('an abort ends a read that waits, and its connection', async () => {
  server.faults.stallAfter = 100;
  const controller = new AbortController();
  const source = await httpSource(server.url, { ...QUICK, stall: 60_000, signal: controller.signal });
  const reading = readAt(source, 0, 1000);
  setTimeout(() => controller.abort(), 20);
  await expect(reading).rejects.toMatchObject({ code: 'Aborted', name: 'AbortError' });
  await expect.poll(() => server.open).toBe(0);
});

test('an abort ends the wait between two attempts', async () => {
  server.faults.status = 503;
  const controller = new AbortController();
  const opening = httpSource(server.url, { ...QUICK, backoff: 60_000, signal: controller.signal });
  setTimeout(() => controller.abort(), 20);
  await expect(opening).rejects.toMatchObject({ code: 'Aborted' });
});

test('aborted before it began, nothing is asked for', async () => {
  await expect(httpSource(server.url, { signal: AbortSignal.abort() })).rejects.toMatchObject({ code: 'Aborted' });
  expect(server.ranges).toEqual([]);
});

test('exact reads ask for the bytes that they need, and at first for what a header begins with', async () => {
  for (const faults of [{}, { hideRange: true }, { hideTotal: true }]) {
    Object.assign(server.faults, { hideRange: false, hideTotal: false }, faults);
    server.ranges.length = 0;
    server.sent = 0;
    const source = await httpSource(server.url, { ...QUICK, exact: true });
    expectBytes(await readAt(source, 0, 262_144), FILE.subarray(0, 262_144));
    expectBytes(await readAt(source, 262_144, 524_288), FILE.subarray(262_144, 786_432));
    source.close?.();
    expect(server.ranges.map((range) => range?.replace('262143-', '262144-'))).toEqual([
      'bytes=0-262143',
      faults.hideRange || faults.hideTotal ? expect.stringMatching(/^bytes=26214[34]-786431$/) : 'bytes=262144-786431',
    ]);
    expect(server.sent).toBeLessThanOrEqual(786_433);
  }
});

test('exact reads up to the end give the whole file', async () => {
  server.faults.hideRange = true;
  const source = await httpSource(server.url, { ...QUICK, exact: true });
  expectBytes(await readWhole(source, 700_000), FILE);
});

test('a file that is not there is told apart', async () => {
  server.faults.status = 404;
  await expect(httpSource(server.url, QUICK)).rejects.toBeInstanceOf(MissingFileError);
  server.faults.status = 403;
  await expect(httpSource(server.url, QUICK)).rejects.not.toBeInstanceOf(MissingFileError);
});
