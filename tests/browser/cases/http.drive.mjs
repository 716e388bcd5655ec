// Servers as they are, in real browsers and from another origin, whose headers a page sees only where the server exposes them: each
// file arrives whole, and no body is asked for twice. (npm/src/source/http-kinds.test.ts tries more of them in Node.)
import { createHash } from "node:crypto";
import { createServer } from "node:http";
import { constants, brotliCompressSync, gzipSync } from "node:zlib";

/** Text that compresses well, so that its compressed length is far from its own. */
const FILE = Buffer.from(Array.from({ length: 200_000 }, (_, i) => `${i % 1000} of a thousand\n`).join(""));
const HALF = FILE.length >> 1;

/** Reads a file as the engine does and gives its length and SHA-256; runs in the page. */
const PREPARE = `(async () => {
  const { httpSource } = await import("/npm/dist/source/http.js");
  const { readAhead } = await import("/npm/dist/source/read-ahead.js");
  window.read = async (url) => {
    const source = readAhead(await httpSource(url, { attempts: 4, backoff: 1 }));
    const pieces = [];
    for (let offset = 0; ; ) {
      const piece = await source.read(offset, 1 << 20);
      if (piece.length === 0) break;
      pieces.push(piece.slice());
      offset += piece.length;
    }
    source.close();
    const bytes = await new Blob(pieces).arrayBuffer();
    const digest = new Uint8Array(await crypto.subtle.digest("SHA-256", bytes));
    return { length: bytes.byteLength, digest: [...digest].map((byte) => byte.toString(16).padStart(2, "0")).join("") };
  };
})()`;

/**
 * What a server answers: status, headers and body. `count` is the number of its requests before this one.
 * @typedef {{ start: number | undefined, count: number, path: string, query: string }} Asked
 * @typedef {(asked: Asked) => [number, Record<string, string | number>, Buffer?]} Answer
 */

/** @param {Buffer} body @param {number | undefined} start @param {Record<string, string | number>} [headers] @returns {[number, Record<string, string | number>, Buffer?]} */
function part(body, start, headers = {}) {
  if (start === undefined) return [200, { "content-length": body.length, ...headers }, body];
  if (start >= body.length) return [416, { "content-range": `bytes */${body.length}` }];
  const range = `bytes ${start}-${body.length - 1}/${body.length}`;
  return [206, { "content-length": body.length - start, "content-range": range, ...headers }, body.subarray(start)];
}

const GZIP = gzipSync(FILE);
const BROTLI = brotliCompressSync(FILE, { params: { [constants.BROTLI_PARAM_QUALITY]: 1 } });

/** Kinds by name: how they answer, and the most requests that may be made. @type {Record<string, { answer: Answer, requests: number }>} */
const KINDS = {
  plain: { answer: ({ start }) => part(FILE, start), requests: 2 },
  // Chromium reads no answer to a range that is compressed.
  "gzip-206": { answer: ({ start }) => part(GZIP, start, { "content-encoding": "gzip" }), requests: 2 },
  "gzip-200": { answer: () => part(GZIP, undefined, { "content-encoding": "gzip" }), requests: 2 },
  "brotli-206": { answer: ({ start }) => part(BROTLI, start, { "content-encoding": "br" }), requests: 2 },
  "no-length-200": { answer: () => [200, {}, FILE], requests: 1 },
  "no-length-206": {
    answer: ({ start = 0 }) => {
      const [status, { "content-length": _, ...headers }, body] = part(FILE, start);
      return [status, headers, body];
    },
    requests: 2,
  },
  "refuses-416": { answer: ({ start }) => (start === undefined ? part(FILE, start) : [416, {}]), requests: 2 },
  "refuses-400": { answer: ({ start }) => (start === undefined ? part(FILE, start) : [400, {}]), requests: 2 },
  multipart: {
    answer: ({ start }) => part(FILE, start, start === undefined ? {} : { "content-type": "multipart/byteranges; boundary=B" }),
    requests: 2,
  },
  "in-parts": {
    answer: ({ start = 0 }) => {
      const end = Math.min(start + HALF, FILE.length);
      if (start >= FILE.length) return [416, { "content-range": `bytes */${FILE.length}` }];
      return [206, { "content-range": `bytes ${start}-${end - 1}/*`, "content-length": end - start }, FILE.subarray(start, end)];
    },
    requests: 4,
  },
  // The redirect may be kept longer than what it leads to is good for.
  "expired-redirect": {
    answer: ({ start, count, path, query }) => {
      if (query === "") return [302, { location: `${path}?made=${count}`, "cache-control": "max-age=3600" }];
      return query === "?made=0" ? [403, { "cache-control": "no-store" }] : part(FILE, start);
    },
    requests: 6,
  },
};

/** @param {import("../lib/harness.mjs").DrivenCheck} t */
export default async function (t) {
  /** @type {Map<string, number>} */
  const counts = new Map();
  const server = createServer((request, response) => {
    const { pathname, search } = new URL(request.url ?? "/", "http://localhost");
    const [, exposed = "", kind = ""] = pathname.split("/");
    response.setHeader("access-control-allow-origin", "*");
    response.setHeader("access-control-allow-headers", "range, cache-control, pragma");
    if (exposed === "exposed") response.setHeader("access-control-expose-headers", "*");
    if (request.method === "OPTIONS") return void response.writeHead(204).end();
    const count = counts.get(pathname) ?? 0;
    counts.set(pathname, count + 1);
    const range = /^bytes=(\d+)-$/.exec(request.headers.range ?? "")?.[1];
    const asked = { start: range === undefined ? undefined : Number(range), count, path: pathname, query: search };
    const [status, headers, body] = /** @type {{ answer: Answer }} */ (KINDS[kind]).answer(asked);
    response.writeHead(status, { "content-type": "application/octet-stream", "cache-control": "no-store", ...headers }).end(body);
  });
  await new Promise((ready) => server.listen(0, "127.0.0.1", () => ready(undefined)));
  const { port } = /** @type {import("node:net").AddressInfo} */ (server.address());
  const expected = { length: FILE.length, digest: createHash("sha256").update(FILE).digest("hex") };
  try {
    const page = await t.openPage(`${t.address}/tests/browser/page.html`);
    await page.evaluate(PREPARE);
    for (const [kind, { requests }] of Object.entries(KINDS)) {
      for (const headers of ["exposed", "hidden"]) {
        const path = `/${headers}/${kind}`;
        const read = await page.evaluate(`window.read("http://127.0.0.1:${port}${path}").catch(({ message }) => message)`);
        t.equal(read, expected, `what is read of ${path}`);
        const made = counts.get(path) ?? 0;
        t.note(path, `${made} requests`);
        t.ok(made <= requests, `at most ${requests} requests for ${path}, not ${made}`);
      }
    }
  } finally {
    server.closeAllConnections();
    server.close();
  }
}
