// A static file server for test pages: right types, byte ranges (as engines use to read model files), no caching.
import { createReadStream } from "node:fs";
import { stat } from "node:fs/promises";
import { createServer } from "node:http";
import { extname, join, normalize } from "node:path";

const TYPES = {
  ".css": "text/css",
  ".html": "text/html; charset=utf-8",
  ".js": "text/javascript",
  ".json": "application/json",
  ".mjs": "text/javascript",
  ".svg": "image/svg+xml",
  ".wasm": "application/wasm",
  ".wgsl": "text/plain; charset=utf-8",
};

/**
 * Serve a folder on a free port of this machine alone. Its address counts as a secure context, which WebGPU needs.
 * @param {string} folder
 * @param {Record<string, string>} [files] more files by their path on the server, wherever they lie on disk
 * @param {(path: string, range?: string) => boolean} [allow] told the path of each request, and the range that it asks for; false has it answered as if the server were down
 * @param {(path: string) => Record<string, string>} [headers] more of them, in the place of the usual ones
 * @returns {Promise<{ address: string, close: () => Promise<void> }>} the address ends without a slash
 */
export async function serve(folder, files = {}, allow = () => true, headers = () => ({})) {
  const server = createServer((request, response) => {
    answer(folder, files, allow, headers, request, response).catch(() => response.destroy());
  });
  await new Promise((ready) => server.listen(0, "127.0.0.1", () => ready(undefined)));
  const { port } = /** @type {import("node:net").AddressInfo} */ (server.address());
  return {
    address: `http://127.0.0.1:${port}`,
    close: () => {
      server.closeAllConnections();
      return new Promise((closed) => server.close(() => closed(undefined)));
    },
  };
}

/**
 * @param {string} folder
 * @param {Record<string, string>} files
 * @param {(path: string, range?: string) => boolean} allow
 * @param {(path: string) => Record<string, string>} headers
 * @param {import("node:http").IncomingMessage} request
 * @param {import("node:http").ServerResponse} response
 */
async function answer(folder, files, allow, headers, request, response) {
  const { pathname } = new URL(request.url ?? "/", "http://localhost");
  // `normalize` of an absolute path drops every `..`, so nothing above the folder can be named.
  const path = normalize(decodeURIComponent(pathname));
  if (!allow(path, request.headers.range)) {
    response.writeHead(503, { "cache-control": "no-store" }).end();
    return;
  }
  let file = files[path] ?? join(folder, path);
  let found = await stat(file).catch(() => undefined);
  if (found?.isDirectory()) {
    file = join(file, "index.html");
    found = await stat(file).catch(() => undefined);
  }
  if (!found?.isFile()) {
    response.writeHead(404, { "content-type": "text/plain" }).end(`no file ${pathname}`);
    return;
  }
  const range = parseRange(request.headers.range, found.size);
  if (range === "unsatisfiable") {
    response.writeHead(416, { "content-range": `bytes */${found.size}` }).end();
    return;
  }
  const { start, end } = range ?? { start: 0, end: found.size - 1 };
  response.writeHead(range ? 206 : 200, {
    "accept-ranges": "bytes",
    "cache-control": "no-store",
    "content-length": end - start + 1,
    "content-type": TYPES[/** @type {keyof typeof TYPES} */ (extname(file))] ?? "application/octet-stream",
    ...(range && { "content-range": `bytes ${start}-${end}/${found.size}` }),
    ...headers(path),
  });
  if (request.method === "HEAD" || found.size === 0) {
    response.end();
    return;
  }
  createReadStream(file, { start, end }).on("error", () => response.destroy()).pipe(response);
}

/**
 * One range of RFC 9110, `bytes=START-[END]` or `bytes=-LAST`; several ranges at once are answered with the whole file.
 * @param {string | undefined} header
 * @param {number} size in bytes
 * @returns {{ start: number, end: number } | "unsatisfiable" | undefined} both ends inclusive
 */
export function parseRange(header, size) {
  const match = /^bytes=(\d*)-(\d*)$/.exec(header ?? "");
  if (!match || (match[1] === "" && match[2] === "")) return undefined;
  const start = match[1] === "" ? Math.max(0, size - Number(match[2])) : Number(match[1]);
  const end = match[1] === "" || match[2] === "" ? size - 1 : Math.min(Number(match[2]), size - 1);
  return start < size && start <= end ? { start, end } : "unsatisfiable";
}
