/**
 * A model behind a URL.
 *
 * One response body is read forward for as long as it lasts; where it breaks off, a Range request goes on from that byte. A
 * server without ranges is read again from the start and skipped forward. A file that changes meanwhile is noticed by its
 * ETag, date and length. (`If-Range` would do the same, but as a header it costs a CORS preflight, which many hosts refuse.)
 */

import { anySignal } from '../compat.js';
import { AbortedError, BadFileError, DownloadError, InglenookError } from '../errors.js';
import { ChunkReader, fill } from './chunks.js';
import { type ResponseHead, readHead, refusal } from './http-head.js';
import { type ByteSource, LONGEST_READ } from './source.js';

/** How to fetch, and how patiently. */
export interface HttpOptions {
  /** Headers for each request, such as an `Authorization`. */
  readonly headers?: Readonly<Record<string, string>> | undefined;
  readonly signal?: AbortSignal | undefined;
  /** Failures in a row, with hardly a byte between them, before giving up. */
  readonly attempts?: number;
  /** Wait after the first failure, in milliseconds; doubled after each further one, up to 10 s. */
  readonly backoff?: number;
  /** A connection that brings nothing for so many milliseconds counts as broken. */
  readonly stall?: number;
}

/** So many bytes in a row count as progress, which makes the patience whole again. */
const PROGRESS = 64 << 10;
/** A gap up to this size is read and thrown away: cheaper than a new request. */
const SKIP = 1 << 20;
const LONGEST_BACKOFF = 10_000;

/**
 * Connect, and learn the file's length.
 *
 * @throws DownloadError where the address is wrong, refused or out of reach
 */
export async function httpSource(url: string, options: HttpOptions = {}): Promise<ByteSource> {
  const download = new Download(url, options);
  await download.open();
  return download;
}

class Download implements ByteSource {
  readonly #url: string;
  readonly #options: HttpOptions;
  readonly #stop = new AbortController();
  #head: ResponseHead | undefined;
  #connection: Connection | undefined;
  /** Offset of the next byte that the connection brings. */
  #position = 0;
  #failures = 0;
  #sinceFailure = 0;

  constructor(url: string, options: HttpOptions) {
    this.#url = url;
    this.#options = options;
    const { signal } = options;
    if (signal?.aborted) this.#stop.abort();
    signal?.addEventListener('abort', () => this.close(), { once: true, signal: this.#stop.signal });
  }

  get size(): number | undefined {
    return this.#head?.total;
  }

  get sequential(): boolean {
    return this.#head?.ranges === false;
  }

  async open(): Promise<void> {
    await this.#patiently(() => this.#connect(0));
  }

  readInto(offset: number, target: Uint8Array): Promise<number> {
    const end = this.#head?.total ?? Number.POSITIVE_INFINITY;
    return fill(target.subarray(0, Math.max(0, end - offset)), async (limit) => {
      const chunk = await this.#patiently(() => this.#take(offset, limit));
      offset += chunk?.length ?? 0;
      return chunk;
    });
  }

  close(): void {
    this.#stop.abort();
    this.#disconnect();
  }

  /** Bytes at `offset`, over the standing connection or a new one; `undefined` at the end of the file. */
  async #take(offset: number, limit: number): Promise<Uint8Array | undefined> {
    await this.#seek(offset);
    const chunk = await this.#next(limit);
    const total = this.#head?.total;
    if (chunk === undefined && total !== undefined && this.#position < total) {
      // The body ended early: either cut off, or a server that sends long ranges in parts.
      throw new Interrupted(`the connection ended after ${this.#position} of ${total} bytes`);
    }
    return chunk;
  }

  async #seek(offset: number): Promise<void> {
    const gap = offset - this.#position;
    if (this.#connection === undefined || gap < 0 || (gap > SKIP && !this.sequential)) {
      this.#disconnect();
      await this.#connect(offset);
    }
    while (this.#position < offset) {
      const skipped = await this.#next(Math.min(offset - this.#position, LONGEST_READ));
      if (skipped === undefined) throw new Interrupted(`the connection ended before byte ${offset}`);
    }
  }

  async #next(limit: number): Promise<Uint8Array | undefined> {
    const connection = this.#connection;
    if (connection === undefined) return undefined;
    const chunk = await connection.take(limit);
    const length = chunk?.length ?? 0;
    this.#position += length;
    this.#sinceFailure += length;
    if (this.#sinceFailure >= PROGRESS) this.#failures = 0;
    return chunk;
  }

  /** Ask for everything from `offset` on. Afterwards the position is where the answer begins: at `offset` or before. */
  async #connect(offset: number): Promise<void> {
    const connection = new Connection(this.#options.stall ?? 30_000, this.#stop.signal);
    const response = await connection.fetch(this.#url, { ...this.#options.headers, Range: `bytes=${offset}-` });
    try {
      const problem = refusal(response, this.#url, offset);
      if (problem !== undefined)
        throw problem.retry ? new Interrupted(problem.message) : new DownloadError(problem.message);
      const head = readHead(response, offset);
      if (head.start > offset)
        throw new Interrupted(`the server answered with byte ${head.start} instead of ${offset}`);
      this.#checkUnchanged(head);
      this.#head ??= head;
      this.#position = head.start;
      this.#connection = connection;
    } catch (error) {
      connection.close();
      throw error;
    }
  }

  #checkUnchanged(head: ResponseHead): void {
    const first = this.#head;
    if (first === undefined) return;
    const differs = (a: unknown, b: unknown) => a !== undefined && b !== undefined && a !== b;
    if (
      differs(first.etag, head.etag) ||
      differs(first.total, head.total) ||
      (first.etag === undefined && differs(first.modified, head.modified))
    ) {
      throw new BadFileError('The file on the server changed while it was being downloaded. Load it again.');
    }
  }

  /** Do it again after a failure that may pass, a bounded number of times. */
  async #patiently<T>(step: () => Promise<T>): Promise<T> {
    const { attempts = 6, backoff = 400 } = this.#options;
    for (;;) {
      try {
        this.#throwIfStopped();
        return await step();
      } catch (error) {
        this.#disconnect();
        this.#throwIfStopped();
        if (error instanceof InglenookError) throw error;
        this.#failures += 1;
        this.#sinceFailure = 0;
        if (this.#failures >= attempts) throw this.#gaveUp(error);
        await this.#wait(Math.min(backoff * 2 ** (this.#failures - 1), LONGEST_BACKOFF));
      }
    }
  }

  #throwIfStopped(): void {
    if (this.#stop.signal.aborted) throw new AbortedError('The download was aborted.');
  }

  #gaveUp(cause: unknown): DownloadError {
    const reason = cause instanceof Error ? cause.message : String(cause);
    const how = this.#head === undefined ? 'could not be started' : `broke off after ${this.#position} bytes`;
    return new DownloadError(
      `The download of ${this.#url} ${how} (${reason}). Check the connection, and that the server allows requests from this page (CORS), then try again.`,
      { cause },
    );
  }

  #wait(milliseconds: number): Promise<void> {
    return new Promise((resolve) => {
      const done = () => {
        clearTimeout(timer);
        this.#stop.signal.removeEventListener('abort', done);
        resolve();
      };
      const timer = setTimeout(done, milliseconds);
      this.#stop.signal.addEventListener('abort', done);
    });
  }

  #disconnect(): void {
    this.#connection?.close();
    this.#connection = undefined;
  }
}

/** A failure that a new connection may cure. */
class Interrupted extends Error {}

/** One request and its body, each step of it watched for silence. */
class Connection {
  readonly #stall: number;
  readonly #abort = new AbortController();
  readonly #signal: AbortSignal;
  #chunks: ChunkReader | undefined;

  constructor(stall: number, stop: AbortSignal) {
    this.#stall = stall;
    this.#signal = anySignal([this.#abort.signal, stop]);
  }

  async fetch(url: string, headers: Record<string, string>): Promise<Response> {
    const response = await this.#watched(fetch(url, { headers, signal: this.#signal }));
    if (response.body !== null) this.#chunks = new ChunkReader(response.body);
    return response;
  }

  async take(limit: number): Promise<Uint8Array | undefined> {
    return this.#chunks === undefined ? undefined : this.#watched(this.#chunks.take(limit));
  }

  close(): void {
    this.#abort.abort();
    this.#chunks?.close();
  }

  /** Ends the request if nothing comes in time; the step then fails as an interruption. */
  async #watched<T>(step: Promise<T>): Promise<T> {
    let silent = false;
    const timer = setTimeout(() => {
      silent = true;
      this.#abort.abort();
    }, this.#stall);
    try {
      return await step;
    } catch (error) {
      throw silent ? new Interrupted(`nothing came for ${this.#stall / 1000} s`) : error;
    } finally {
      clearTimeout(timer);
    }
  }
}
