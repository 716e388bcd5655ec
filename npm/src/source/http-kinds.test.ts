/** Servers as they are: each kind read whole, over its own path, and nothing downloaded twice. */

import { afterEach, beforeEach, describe, expect, test, vi } from 'vitest';
import { expectBytes, pattern, readAt, readWhole } from '../../test/bytes.js';
import { type Faults, type HostileServer, hostileServer } from '../../test/hostile-server.js';
import { BadFileError, DownloadError } from '../errors.js';
import { type HttpOptions, httpSource } from './http.js';
import { readAhead } from './read-ahead.js';

const FILE = pattern(3_000_001);
const QUICK: HttpOptions = { attempts: 4, backoff: 1 };

let server: HostileServer;
beforeEach(async () => {
  server = await hostileServer(FILE);
});
afterEach(async () => {
  vi.unstubAllGlobals();
  await server.close();
});

/** As the engine reads: ahead of itself, and past the end where nobody knows where that is. */
async function readLikeTheEngine(): Promise<void> {
  const source = readAhead(await httpSource(server.url, QUICK), 1 << 18);
  const pieces: Uint8Array[] = [];
  for (let offset = 0; ; ) {
    const piece = await source.read(offset, 100_003);
    if (piece.length === 0) break;
    pieces.push(piece.slice());
    offset += piece.length;
  }
  source.close();
  expectBytes(Buffer.concat(pieces), FILE);
}

/** Show the page only these headers, as a browser does of another origin. */
function hideHeaders(...exposed: string[]): void {
  const original = globalThis.fetch;
  const shown = ['cache-control', 'content-length', 'content-type', 'last-modified', ...exposed];
  vi.stubGlobal('fetch', async (url: string, init: RequestInit) => {
    const response = await original(url, init);
    const headers = new Headers([...response.headers].filter(([name]) => shown.includes(name)));
    return Object.defineProperties(response, { type: { value: 'cors' }, headers: { value: headers } });
  });
}

describe('bodies that are read whole by one request', () => {
  const kinds: Record<string, Faults> = {
    'ranges are known': {},
    'a range has no length': { noLength: true },
    'a range has no total': { hideTotal: true },
    'a range has neither length nor total': { hideTotal: true, noLength: true },
    'there are no ranges': { noRanges: true },
    'there are neither ranges nor lengths': { noRanges: true, noLength: true },
    'Content-Range is hidden': { hideRange: true },
  };
  test.each(Object.entries(kinds))('server sends each byte once when %s', async (_, faults) => {
    Object.assign(server.faults, faults);
    await readLikeTheEngine();
    // Only where the end is not told, a second request finds it, from the last byte on.
    expect(server.sent).toBe(FILE.length + server.ranges.length - 1);
    expect(server.ranges.slice(1)).toEqual(server.ranges.slice(1).map(() => `bytes=${FILE.length - 1}-`));
    expect(server.ranges.length).toBeLessThanOrEqual(2);
  });
});

describe('encoded bodies', () => {
  const encodings = ['gzip', 'br', 'deflate'] as const;
  const kinds = encodings.flatMap((encoding) => [
    { name: `${encoding} on 206`, faults: { encoding } },
    { name: `${encoding} on 206 without a length`, faults: { encoding, noLength: true } },
    { name: `${encoding} on 206 without Content-Range`, faults: { encoding, hideRange: true } },
    { name: `${encoding} on 200`, faults: { encoding, noRanges: true } },
    { name: `${encoding} on 200 without a length`, faults: { encoding, noRanges: true, noLength: true } },
  ]);
  test.each(kinds)('file is whole after one request when it comes as $name', async ({ faults }) => {
    Object.assign(server.faults, faults);
    await readLikeTheEngine();
    expect(server.ranges).toEqual(['bytes=0-']);
  });

  test.each(encodings)(
    '%s is read whole when a page of another origin does not see that it is there',
    async (encoding) => {
      server.faults.encoding = encoding;
      for (const exposed of [[], ['content-range', 'etag', 'accept-ranges']]) {
        hideHeaders(...exposed);
        expect((await httpSource(server.url, QUICK)).size).toBeUndefined();
        await readLikeTheEngine();
        vi.unstubAllGlobals();
      }
    },
  );

  test('size is known across origins when all headers are exposed', async () => {
    hideHeaders('content-range', 'date');
    expect((await httpSource(server.url, QUICK)).size).toBe(FILE.length);
  });

  test('file is asked for as a whole when its encoded form comes in parts', async () => {
    Object.assign(server.faults, { encoding: 'gzip', partLength: 1000 });
    await readLikeTheEngine();
    expect(server.ranges).toEqual(['bytes=0-', undefined]);
  });

  test('file is read again from its start, without ranges, when an encoded body is cut', async () => {
    Object.assign(server.faults, { encoding: 'deflate', cutAfter: 9000 });
    const source = await httpSource(server.url, QUICK);
    delete server.faults.cutAfter;
    expectBytes(await readWhole(source, 1 << 18), FILE);
    expect(server.ranges).toEqual(['bytes=0-', undefined]);
  });
});

describe('servers that refuse ranges', () => {
  test.each([400, 405, 406, 416, 501])('file is asked for plainly, once, when ranges get HTTP %i', async (status) => {
    server.faults.refuseRanges = status;
    await readLikeTheEngine();
    expect(server.ranges).toEqual(['bytes=0-', undefined]);
    expect(server.sent).toBe(FILE.length);
  });

  test('file is skipped forward when ranges are refused after the first', async () => {
    server.faults.cutAfter = 600_000;
    const source = await httpSource(server.url, QUICK);
    Object.assign(server.faults, { refuseRanges: 501, cutAfter: undefined });
    expectBytes(await readWhole(source, 1 << 18), FILE);
    expect(server.ranges.at(-1)).toBeUndefined();
    expect(server.ranges).toHaveLength(3);
  });

  test('file is asked for plainly when a range comes as multipart/byteranges', async () => {
    server.faults.multipart = true;
    await readLikeTheEngine();
    expect(server.ranges).toEqual(['bytes=0-', undefined]);
  });

  test('file is asked for plainly when a later range comes instead of the one asked for', async () => {
    server.faults.shiftRange = 512;
    await readLikeTheEngine();
    expect(server.ranges).toEqual(['bytes=0-', undefined]);
  });

  test('bytes before the range asked for are skipped', async () => {
    Object.assign(server.faults, { shiftRange: -4096, cutAfter: 700_000 });
    const source = await httpSource(server.url, QUICK);
    expectBytes(await readWhole(source, 1 << 18), FILE);
    expect(server.ranges).not.toContain(undefined);
  });
});

describe('ranges that fail in the browser', () => {
  /** Fails each request for a range, as Chromium does where the answer is compressed, and as CORS rules may. */
  function failRanges(first: number): void {
    const original = globalThis.fetch;
    let ranges = 0;
    vi.stubGlobal('fetch', (url: string, init: { headers: Record<string, string> }) => {
      if (init.headers.Range !== undefined) ranges += 1;
      if (init.headers.Range === undefined || ranges < first) return original(url, init);
      return Promise.reject(new TypeError('Failed to fetch'));
    });
  }

  test('file is asked for plainly when the first range fails', async () => {
    failRanges(1);
    await readLikeTheEngine();
    expect(server.ranges).toEqual([undefined]);
  });

  test('file is read again, plainly, when it was cut and ranges fail', async () => {
    failRanges(1);
    server.faults.cutAfter = 900_000;
    const source = await httpSource(server.url, QUICK);
    delete server.faults.cutAfter;
    expectBytes(await readWhole(source, 1 << 18), FILE);
    expect(server.ranges).toEqual([undefined, undefined]);
  });

  test('file is not asked for from its start when ranges have worked before', async () => {
    failRanges(2);
    server.faults.cutAfter = 900_000;
    const source = await httpSource(server.url, QUICK);
    await expect(readWhole(source, 1 << 18)).rejects.toThrow(DownloadError);
    expect(server.ranges).toEqual(['bytes=0-']);
  });
});

describe('versions of a file', () => {
  const resume = async (first: string | undefined, then: string | undefined, modified?: [string, string]) => {
    server.faults.cutAfter = 300_000;
    server.etag = first;
    if (modified) server.faults.lastModified = modified[0];
    const source = await httpSource(server.url, QUICK);
    await readAt(source, 0, 10);
    server.etag = then;
    if (modified) server.faults.lastModified = modified[1];
    expectBytes(await readWhole(source, 1 << 18), FILE);
  };
  const [MONDAY, TUESDAY] = ['Mon, 02 Nov 2026 10:00:00 GMT', 'Tue, 03 Nov 2026 10:00:00 GMT'];

  test.each([
    ['W/"one"', '"one"'],
    ['"one"', 'W/"one"'],
    ['"one-gzip"', '"one"'],
    ['W/"one"', '"one;gzip"'],
    ['"one"', undefined],
    [undefined, '"one"'],
  ])('download goes on when the ETag %s becomes %s', (first, then) => resume(first, then));

  test.each([
    ['"one"', '"two"'],
    ['W/"one"', 'W/"two"'],
    ['W/"one"', '"two"'],
  ])('file has changed when the ETag %s becomes %s', async (first, then) => {
    await expect(resume(first, then)).rejects.toThrow(BadFileError);
  });

  test('date decides when either ETag is missing', async () => {
    await resume('"one"', undefined, [MONDAY, MONDAY]);
    await expect(resume('"one"', undefined, [MONDAY, TUESDAY])).rejects.toThrow(BadFileError);
    await expect(resume(undefined, undefined, [MONDAY, TUESDAY])).rejects.toThrow(BadFileError);
    await resume('"one"', '"one"', [MONDAY, TUESDAY]);
  });
});

describe('redirects', () => {
  test('address is resolved again when the one redirected to has expired', async () => {
    Object.assign(server.faults, { redirectUses: 1, cutAfter: 800_000 });
    const source = await httpSource(server.url, QUICK);
    expectBytes(await readWhole(source, 1 << 18), FILE);
    expect(server.redirects).toBeGreaterThanOrEqual(4);
  });

  test('address is asked for past caches, once, when a redirect leads nowhere', async () => {
    server.faults.redirectUses = 0;
    const seen = vi.fn(globalThis.fetch);
    vi.stubGlobal('fetch', seen);
    await expect(httpSource(server.url, QUICK)).rejects.toThrow(/HTTP 403/);
    expect(seen.mock.calls.map(([, init]) => init?.cache)).toEqual(['default', 'reload']);
  });

  test('download goes on when an address refuses once in its middle', async () => {
    server.faults.cutAfter = 1_000_000;
    const source = await httpSource(server.url, QUICK);
    await readAt(source, 0, 10);
    Object.assign(server.faults, { status: 403, statusTimes: 1 });
    expectBytes(await readWhole(source, 1 << 18), FILE);
  });
});

describe('ends', () => {
  test.each([{}, { noRanges: true }, { noRanges: true, noLength: true }, { refuseRanges: 416 }])(
    'empty file is named when the server does %o',
    async (faults) => {
      await server.close();
      server = await hostileServer(new Uint8Array(0));
      Object.assign(server.faults, faults);
      const opening = httpSource(server.url, QUICK).then((source) => readAt(source, 0, 10));
      if (faults.noLength) expect(await opening).toHaveLength(0);
      else await expect(opening).rejects.toThrow(/empty/);
    },
  );

  test('every part is asked for once when neither its place nor the total is told', async () => {
    Object.assign(server.faults, { partLength: 900_000, hideTotal: true });
    await readLikeTheEngine();
    expect(server.ranges).toHaveLength(5);
    // The last byte of each part is the first of the next.
    expect(server.sent).toBe(FILE.length + 4);
  });

  test.each<Faults>([
    { hideTotal: true },
    { hideTotal: true, noLength: true },
    { hideTotal: true, partLength: 900_000 },
    { hideTotal: true, partLength: FILE.length - 1 },
  ])('file is whole when a page does not see errors, which lack the CORS headers, with %o', async (faults) => {
    Object.assign(server.faults, faults, { hidePastEnd: true });
    await readLikeTheEngine();
  });

  test('nothing is asked again when a read begins behind the end', async () => {
    Object.assign(server.faults, { noRanges: true, noLength: true });
    const source = await httpSource(server.url, QUICK);
    expectBytes(await readWhole(source, 1 << 18), FILE);
    expect(await readAt(source, FILE.length + 5_000_000, 10)).toHaveLength(0);
    expect(source.size).toBe(FILE.length);
    expect(server.sent).toBe(FILE.length);
  });

  test('download goes on at the byte where it broke when a chunk stalls', async () => {
    server.faults.stallAfter = 1_500_000;
    const source = await httpSource(server.url, { ...QUICK, stall: 200 });
    const first = await readAt(source, 0, 1_000_000);
    setTimeout(() => delete server.faults.stallAfter, 20);
    const rest = await readAt(source, 1_000_000, 2_100_000);
    expectBytes(Buffer.concat([first, rest]), FILE);
    expect(server.ranges.filter((range) => range === 'bytes=0-')).toHaveLength(1);
  });

  test('server that only sends nothing is given up', async () => {
    server.faults.cutAfter = 0;
    await expect(httpSource(server.url, QUICK).then((source) => readAt(source, 0, 1))).rejects.toThrow(DownloadError);
  });
});
