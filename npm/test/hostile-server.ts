/** An HTTP server that serves one file and misbehaves as told. */

import { createServer, type IncomingMessage, type ServerResponse } from 'node:http';
import type { AddressInfo } from 'node:net';

/** What it does wrong; nothing by default. Each field may change between requests. */
export interface Faults {
  /** Close the connection after so many body bytes. */
  cutAfter?: number;
  /** Go silent after so many body bytes. */
  stallAfter?: number;
  /** Ignore Range headers. */
  noRanges?: boolean;
  /** Leave Content-Range out, as CORS hides it. */
  hideRange?: boolean;
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
}

/** A running server. */
export interface HostileServer {
  readonly url: string;
  readonly faults: Faults;
  /** Range headers of the requests so far. */
  readonly ranges: (string | undefined)[];
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

function answer(state: HostileServer, body: Uint8Array, request: IncomingMessage, response: ServerResponse): void {
  const { faults } = state;
  state.ranges.push(request.headers.range);
  state.headers = request.headers;
  if (faults.status !== undefined && (faults.statusTimes ?? 1) > 0) {
    if (faults.statusTimes !== undefined) faults.statusTimes -= 1;
    response.writeHead(faults.status).end();
    return;
  }
  const asked = faults.noRanges ? undefined : /^bytes=(\d+)-$/.exec(request.headers.range ?? '')?.[1];
  const start = Number(asked ?? 0);
  const announced = body.length + (faults.excessLength ?? 0);
  if (start >= body.length) {
    response.writeHead(416, { 'content-range': `bytes */${body.length}` }).end();
    return;
  }
  const part = body.subarray(start, start + (faults.partLength ?? body.length));
  const headers: Record<string, string> = { 'content-type': faults.contentType ?? 'application/octet-stream' };
  if (state.etag !== undefined) headers.etag = state.etag;
  if (!faults.noLength) headers['content-length'] = String(part.length + announced - body.length);
  if (asked !== undefined && !faults.hideRange) {
    headers['content-range'] = `bytes ${start}-${start + part.length - 1}/${announced}`;
  }
  response.writeHead(asked === undefined ? 200 : 206, headers);
  state.open += 1;
  response.on('close', () => {
    state.open -= 1;
  });
  send(part, faults, response);
}

function send(part: Uint8Array, { cutAfter, stallAfter, excessLength }: Faults, response: ServerResponse): void {
  const limit = cutAfter ?? stallAfter;
  if (limit !== undefined && limit < part.length) {
    response.write(part.subarray(0, limit), () => {
      if (cutAfter !== undefined) response.destroy();
    });
  } else if (excessLength) {
    response.write(part, () => response.destroy());
  } else {
    response.end(part);
  }
}
