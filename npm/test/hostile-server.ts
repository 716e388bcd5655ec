/** An HTTP server that serves one file and misbehaves as told. */

import { createServer, type IncomingMessage, type ServerResponse } from 'node:http';
import type { AddressInfo } from 'node:net';
import { brotliCompressSync, constants, deflateSync, gzipSync } from 'node:zlib';

/** Compressions that bodies come in. */
const ENCODERS = {
  gzip: gzipSync,
  deflate: deflateSync,
  // Its default takes seconds.
  br: (file: Uint8Array) => brotliCompressSync(file, { params: { [constants.BROTLI_PARAM_QUALITY]: 1 } }),
};

/** What it does wrong; nothing by default. Each field may change between requests. */
export interface Faults {
  /** Close the connection after so many body bytes. */
  cutAfter?: number;
  /** Go silent after so many body bytes. */
  stallAfter?: number;
  /** Ignore Range headers. */
  noRanges?: boolean;
  /** Break the connection where a Range begins past the end: what a page sees of a 416 without CORS headers. */
  hidePastEnd?: boolean;
  /** Answer each Range with this status. */
  refuseRanges?: number;
  /** Compress the file whatever is asked for; ranges are of the compressed bytes, and lengths are theirs. */
  encoding?: keyof typeof ENCODERS;
  /** Leave Content-Range out, as CORS hides it. */
  hideRange?: boolean;
  /** Leave the file's length out of Content-Range. */
  hideTotal?: boolean;
  /** Answer with a range that begins so many bytes after the one asked for; before it, where negative. */
  shiftRange?: number;
  /** Answer a Range with several parts in one body. */
  multipart?: boolean;
  /** Send at most so many bytes of each range asked for. */
  partLength?: number;
  /** Announce so many bytes more than there are. */
  excessLength?: number;
  /** No length at all: chunked encoding. */
  noLength?: boolean;
  status?: number;
  /** This status so many times, then as usual. */
  statusTimes?: number;
  contentType?: string;
  lastModified?: string;
  /** Redirect to an address that gives so many answers before it has expired. */
  redirectUses?: number;
}

/** A running server. */
export interface HostileServer {
  readonly url: string;
  readonly faults: Faults;
  /** Range headers of the requests so far. */
  readonly ranges: (string | undefined)[];
  /** Bytes of bodies sent so far. */
  sent: number;
  /** Redirects given out so far, and how often each was followed. */
  redirects: number;
  readonly uses: Map<string, number>;
  /** Request headers of the last request. */
  headers: IncomingMessage['headers'];
  /** Connections with a body under way. */
  open: number;
  etag: string | undefined;
  close(): Promise<void>;
}

/** Serve these bytes. */
export async function hostileServer(body: Uint8Array): Promise<HostileServer> {
  const http = createServer((request, response) => answer(state, body, request, response));
  await new Promise<void>((resolve) => http.listen(0, '127.0.0.1', resolve));
  const state: HostileServer = {
    url: `http://127.0.0.1:${(http.address() as AddressInfo).port}/model.gguf`,
    faults: {},
    ranges: [],
    sent: 0,
    redirects: 0,
    uses: new Map(),
    headers: {},
    open: 0,
    etag: '"one"',
    close: () =>
      new Promise((resolve) => {
        http.close(() => resolve());
        http.closeAllConnections();
      }),
  };
  return state;
}

function answer(state: HostileServer, file: Uint8Array, request: IncomingMessage, response: ServerResponse): void {
  const { faults } = state;
  if (redirected(state, request, response)) return;
  state.ranges.push(request.headers.range);
  state.headers = request.headers;
  if (faults.status !== undefined && (faults.statusTimes ?? 1) > 0) {
    if (faults.statusTimes !== undefined) faults.statusTimes -= 1;
    response.writeHead(faults.status).end();
    return;
  }
  const [, asked, last] = (!faults.noRanges && /^bytes=(\d+)-(\d*)$/.exec(request.headers.range ?? '')) || [];
  if (asked !== undefined && faults.refuseRanges !== undefined) {
    response.writeHead(faults.refuseRanges).end();
    return;
  }
  const body = faults.encoding === undefined ? file : new Uint8Array(ENCODERS[faults.encoding](file));
  const start = Math.max(0, Number(asked ?? 0) + (asked === undefined ? 0 : (faults.shiftRange ?? 0)));
  const announced = body.length + (faults.excessLength ?? 0);
  if (asked !== undefined && start >= body.length) {
    if (faults.hidePastEnd) return void request.socket.destroy();
    response.writeHead(416, { 'content-range': `bytes */${body.length}` }).end();
    return;
  }
  const wanted = last ? Number(last) + 1 - Number(asked) : body.length;
  const length = asked === undefined ? body.length : Math.min(wanted, faults.partLength ?? body.length);
  const part = body.subarray(start, start + length);
  const headers: Record<string, string> = { 'content-type': faults.contentType ?? 'application/octet-stream' };
  if (state.etag !== undefined) headers.etag = state.etag;
  if (faults.lastModified !== undefined) headers['last-modified'] = faults.lastModified;
  if (faults.encoding !== undefined) headers['content-encoding'] = faults.encoding;
  if (!faults.noLength) headers['content-length'] = String(part.length + announced - body.length);
  if (asked !== undefined && faults.multipart) {
    headers['content-type'] = 'multipart/byteranges; boundary=PART';
  } else if (asked !== undefined && !faults.hideRange) {
    headers['content-range'] = `bytes ${start}-${start + part.length - 1}/${faults.hideTotal ? '*' : announced}`;
  }
  response.writeHead(asked === undefined ? 200 : 206, headers);
  state.open += 1;
  response.on('close', () => {
    state.open -= 1;
  });
  state.sent += send(part, faults, response);
}

/** Whether the request was answered with where to go, or with that the address has expired. */
function redirected(state: HostileServer, request: IncomingMessage, response: ServerResponse): boolean {
  const { redirectUses } = state.faults;
  if (redirectUses === undefined) return false;
  const uses = /\?uses=(\d+)/.exec(request.url ?? '')?.[1];
  if (uses === undefined) {
    state.redirects += 1;
    // As long as a cache may keep it, and longer than it is good for.
    const headers = { location: `${state.url}?uses=${state.redirects}`, 'cache-control': 'max-age=3600' };
    response.writeHead(302, headers).end();
    return true;
  }
  const used = state.uses.get(uses) ?? 0;
  state.uses.set(uses, used + 1);
  if (used < redirectUses) return false;
  response.writeHead(403).end();
  return true;
}

/** How many bytes it sent. */
function send(part: Uint8Array, { cutAfter, stallAfter, excessLength }: Faults, response: ServerResponse): number {
  const limit = cutAfter ?? stallAfter;
  if (limit !== undefined && limit < part.length) {
    response.write(part.subarray(0, limit), () => {
      if (cutAfter !== undefined) response.destroy();
    });
    return limit;
  }
  if (excessLength) response.write(part, () => response.destroy());
  else response.end(part);
  return part.length;
}
