/**
 * A model behind a URL.
 *
 * One response body is read forward for as long as it lasts; where it breaks off, a Range request goes on from that byte. A
 * server that refuses ranges is asked for the whole file, once, and where that breaks off again and skipped forward. A file that
 * changes meanwhile is noticed by its ETag, date and length. (`If-Range` would do the same, but as a header it costs a CORS
 * preflight, which many hosts refuse.)
 */

import { AbortedError, BadFileError, DownloadError, InglenookError } from '../errors.js';
import { ChunkReader, fill } from './chunks.js';
import { type Answer, differ, type ResponseHead, readAnswer } from './http-head.js';
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
  /** Ask for no more than each read needs, and at first for as much as a header's reader begins with. */
  readonly exact?: boolean | undefined;
  /** A connection that brings nothing for so many milliseconds counts as broken. */
  readonly stall?: number;
}

/** So many bytes in a row count as progress, which makes the patience whole again. */
const PROGRESS = 64 << 10;
/** A gap up to this size is read and thrown away: cheaper than a new request. */
const SKIP = 1 << 20;
const LONGEST_BACKOFF = 10_000;
/** What is asked for at first where no more than needed is: the first piece that a header's reader reads. */
const FIRST_PIECE = 256 << 10;

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
  /** The first answer that was the file. */
  #first: ResponseHead | undefined;
  /** The answer that the connection brings. */
  #head: ResponseHead | undefined;
  #connection: Connection | undefined;
  /** Offset of the next byte that the connection brings. */
  #position = 0;
  /** Length of the file: as the server told, or as its end was found. */
  #total: number | undefined;
  /** Where a part ended of which nothing tells whether it was the last. */
  #doubtfulEnd: number | undefined;
  /** Whether ranges are asked for: until the server refuses one. */
  #ranged = true;
  /** Whether the next request is for the whole file, since the last was for a range and failed before any range came. */
  #plainNext = false;
  /** Whether to ask past caches, which may hold a redirect that has expired. */
  #fresh = false;
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
    return this.#total;
  }

  get sequential(): boolean {
    return this.#head?.partial === false || !this.#ranged;
  }

  get #rangesWork(): boolean {
    return this.#first?.partial === true;
  }

  async open(): Promise<void> {
    await this.#patiently(() => this.#connect(0, FIRST_PIECE));
  }

  readInto(offset: number, target: Uint8Array): Promise<number> {
    return fill(target, async (limit) => {
      const chunk = await this.#patiently(() => this.#take(offset, limit));
      offset += chunk?.length ?? 0;
      return chunk;
    });
  }

  pause(): void {
    this.#disconnect();
  }

  close(): void {
    this.#stop.abort();
    this.#disconnect();
  }

  /** Bytes at `offset`, over the standing connection or a new one; `undefined` at the end of the file. */
  async #take(offset: number, limit: number): Promise<Uint8Array | undefined> {
    while (offset < (this.#total ?? Number.POSITIVE_INFINITY)) {
      const gap = offset - this.#position;
      if (this.#connection === undefined || gap < 0 || (gap > SKIP && !this.sequential)) {
        this.#disconnect();
        // From the last byte on, not behind it: where nothing follows, that is a range, too. Pages do not get to see the answer to
        // one that is none, where the server adds its CORS headers to successes alone.
        const from = offset === this.#doubtfulEnd ? offset - 1 : offset;
        await this.#connect(from, offset + limit - from);
        continue;
      }
      const left = (this.#total ?? Number.POSITIVE_INFINITY) - this.#position;
      const chunk = await this.#next(Math.min(gap > 0 ? Math.min(gap, LONGEST_READ) : limit, left));
      if (chunk !== undefined && gap === 0) return chunk;
    }
    return undefined;
  }

  /** The connection's next bytes; `undefined` where its body ends, with the connection gone. */
  async #next(limit: number): Promise<Uint8Array | undefined> {
    const chunk = await this.#connection?.take(limit);
    if (chunk === undefined) {
      this.#bodyEnded();
      return undefined;
    }
    this.#position += chunk.length;
    this.#sinceFailure += chunk.length;
    if (this.#sinceFailure >= PROGRESS) this.#failures = 0;
    return chunk;
  }

  /** A body that ends without an error is whole, which may be the file's end, or that of a part of it. */
  #bodyEnded(): void {
    const head = this.#head;
    this.#disconnect();
    if (head === undefined || this.#position >= (this.#total ?? Number.POSITIVE_INFINITY)) return;
    const empty = this.#position === head.start;
    // Some servers send long ranges in parts: the next one is asked for.
    if (head.last === false && !empty) return;
    if (this.#total !== undefined) {
      throw new Interrupted(`the connection ended after ${this.#position} of ${this.#total} bytes`);
    }
    // A length that does not hold is that of a compressed body. Where nothing is told, the next range is the answer.
    const told = head.last ?? (head.end !== undefined && head.end !== this.#position);
    if (told || empty || this.#position === this.#doubtfulEnd) this.#total = this.#position;
    else this.#doubtfulEnd = this.#position;
  }

  /**
   * Ask for everything from `offset` on, or for `length` bytes if that is the option. Afterwards the position is where the answer begins, at `offset` or before; or the file's end
   * is known.
   */
  async #connect(offset: number, length: number): Promise<void> {
    for (;;) {
      const { connection, answer } = await this.#ask(offset, length);
      if (answer.kind === 'file' && this.#first !== undefined && differ(this.#first, answer.head)) {
        connection.close();
        throw new BadFileError('The file on the server changed while it was being downloaded. Load it again.');
      }
      if (answer.kind === 'file') {
        this.#fresh = false;
        this.#first ??= answer.head;
        this.#total ??= answer.head.total;
        // Ranges of a compressed file would count compressed bytes.
        if (answer.head.encoded) this.#ranged = false;
        this.#head = answer.head;
        this.#position = answer.head.start;
        this.#connection = connection;
        return;
      }
      connection.close();
      if (answer.kind === 'end') {
        this.#total = answer.total;
        return;
      }
      if (answer.kind === 'noRange') {
        this.#ranged = false;
        continue;
      }
      if (answer.passing) throw new Interrupted(answer.message);
      if (!answer.stale || this.#fresh) throw new (answer.missing ? MissingFileError : DownloadError)(answer.message);
      this.#fresh = true;
    }
  }

  async #ask(offset: number, length: number): Promise<{ connection: Connection; answer: Answer }> {
    const connection = new Connection(this.#options.stall ?? 30_000, this.#stop.signal);
    const ranged = this.#ranged && !this.#plainNext;
    const { exact = false } = this.#options;
    const range = ranged ? { Range: `bytes=${offset}-${exact ? offset + length - 1 : ''}` } : {};
    const cache = this.#fresh ? 'reload' : 'default';
    try {
      const response = await connection.fetch(this.#url, { headers: { ...this.#options.headers, ...range }, cache });
      this.#plainNext = false;
      const begun = this.#first !== undefined;
      const asked = { url: this.#url, offset, ranged, part: ranged && exact };
      const question = { ...asked, rangesWork: this.#rangesWork, begun, total: this.#total };
      return { connection, answer: readAnswer(response, question) };
    } catch (error) {
      connection.close();
      // Browsers do not tell a broken network from a range that came compressed, which Chromium refuses to read, or from a range
      // that the server's CORS rules do not let them ask for.
      this.#plainNext = ranged && !this.#rangesWork && error instanceof TypeError;
      throw error;
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
    const how = this.#first === undefined ? 'could not be started' : `broke off after ${this.#position} bytes`;
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

/** There is no file at this address. */
export class MissingFileError extends DownloadError {}

/** A failure that a new connection may cure. */
class Interrupted extends Error {}

/** One request and its body, each step of it watched for silence. */
class Connection {
  readonly #stall: number;
  readonly #abort = new AbortController();
  readonly #stop: AbortSignal;
  readonly #stopped = () => this.#abort.abort();
  #chunks: ChunkReader | undefined;

  constructor(stall: number, stop: AbortSignal) {
    this.#stall = stall;
    this.#stop = stop;
    if (stop.aborted) this.#abort.abort();
    stop.addEventListener('abort', this.#stopped);
  }

  async fetch(url: string, init: RequestInit): Promise<Response> {
    const response = await this.#watched(fetch(url, { ...init, signal: this.#abort.signal }));
    if (response.body !== null) this.#chunks = new ChunkReader(response.body);
    return response;
  }

  async take(limit: number): Promise<Uint8Array | undefined> {
    return this.#chunks === undefined ? undefined : this.#watched(this.#chunks.take(limit));
  }

  close(): void {
    this.#stop.removeEventListener('abort', this.#stopped);
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
