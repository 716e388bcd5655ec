/** What an HTTP answer says about the file, before its first byte. */

/** An answer whose body is the file, or its rest from some byte on. */
export interface ResponseHead {
  /** Whether it is the answer to a range. */
  readonly partial: boolean;
  /** Offset in the file of the body's first byte. */
  readonly start: number;
  /** Offset in the file behind the body's last byte, where the server tells. */
  readonly end: number | undefined;
  /** Whether the body goes to the end of the file, where the server tells. */
  readonly last: boolean | undefined;
  /** Length of the whole file in bytes, where the server tells and can be believed. */
  readonly total: number | undefined;
  /** Whether it is compressed on its way: ranges would then count compressed bytes. */
  readonly encoded: boolean;
  readonly etag: string | undefined;
  readonly modified: string | undefined;
}

/** What to make of an answer. */
export type Answer =
  | { readonly kind: 'file'; readonly head: ResponseHead }
  /** There is nothing at this offset: the file ends here, or before. */
  | { readonly kind: 'end'; readonly total: number }
  /** The server does not give this range out; the whole file it may. */
  | { readonly kind: 'noRange' }
  /**
   * The body is no model. `passing`: asking again may help; `stale`: asking past all caches and redirects of before may; `missing`: there is
   * no such file.
   */
  | {
      readonly kind: 'refused';
      readonly message: string;
      readonly passing?: boolean;
      readonly stale?: boolean;
      readonly missing?: boolean;
    };

/** What was asked, and what is known from earlier answers. */
export interface Question {
  readonly url: string;
  /** The bytes from this one on are wanted. */
  readonly offset: number;
  /** Whether no more than a part was asked for, whose end is not the file's. */
  readonly part: boolean;
  /** Whether that was asked for as a range. */
  readonly ranged: boolean;
  /** Whether the server has given out a range before. */
  readonly rangesWork: boolean;
  /** Whether it has given out the file before. */
  readonly begun: boolean;
  /** Length of the file, where it is known. */
  readonly total: number | undefined;
}

/** Statuses by which servers refuse ranges that they do not know or do not like. */
const RANGE_REFUSED = [400, 405, 406, 412, 416, 417, 501];
const NOT_GIVEN_OUT = [401, 403, 404, 410];

/** Read the head of an answer. */
export function readAnswer(response: Response, question: Question): Answer {
  const { status } = response;
  if (status === 200 || status === 206) return readFile(response, question);
  if (status === 416 && question.ranged) return pastTheEnd(response, question);
  if (question.ranged && RANGE_REFUSED.includes(status)) return { kind: 'noRange' };
  const refused = (message: string) =>
    ({ kind: 'refused', message: `${message} (HTTP ${status}, ${question.url}).` }) as const;
  // The address at the end of a redirect may have expired, also one that a cache remembers.
  const stale = NOT_GIVEN_OUT.includes(status) && (question.begun || response.redirected);
  if (status === 404 || status === 410) {
    return { ...refused('There is no file at this address. Check it for mistakes'), stale, missing: true };
  }
  if (status === 401 || status === 403) {
    const remedy = 'Log in there first, or pass an Authorization header';
    return { ...refused(`The server refuses to give this file out. ${remedy}`), stale };
  }
  if (status === 204 || status === 205) return refused(EMPTY);
  if (status === 416) return refused('The server does not give this file out, as a whole or in parts');
  const passing = status === 408 || status === 425 || status === 429 || status >= 500;
  return passing
    ? { kind: 'refused', message: `the server answered HTTP ${status}`, passing }
    : refused('The server does not give this file out');
}

const EMPTY = 'The file at this address is empty. Check the address';

function readFile(response: Response, { url, offset, ranged, part }: Question): Answer {
  const type = response.headers.get('content-type') ?? '';
  if (type.startsWith('text/html')) {
    const message = `This address leads to a web page, not to a model file (${url}). Use the address of the download itself.`;
    // What many servers of pages answer where there is no file.
    return { kind: 'refused', message, missing: true };
  }
  const inParts = {
    kind: 'refused',
    message: `The server gives this file out in parts that were not asked for (${url}).`,
  };
  const useless = ranged ? ({ kind: 'noRange' } as const) : (inParts as Answer);
  if (type.startsWith('multipart/byteranges')) return useless;
  const head = response.status === 206 ? readPart(response, offset, part) : readWhole(response);
  if (head === undefined || head.start > offset || (head.end ?? offset) < offset) return useless;
  // A part of what was compressed cannot be read, and what was compressed in parts has no order that could be known.
  if (head.encoded && head.partial && (offset > 0 || head.last !== true)) return useless;
  if (head.total === 0) return { kind: 'refused', message: `${EMPTY} (${url}).` };
  return { kind: 'file', head };
}

function readWhole(response: Response): ResponseHead {
  const total = hidesEncoding(response) ? undefined : bodyLength(response);
  return { partial: false, start: 0, end: bodyLength(response), last: true, total, ...common(response) };
}

function readPart(response: Response, offset: number, part: boolean): ResponseHead | undefined {
  const about = common(response);
  const header = response.headers.get('content-range');
  const length = bodyLength(response);
  if (header === null) {
    // Across origins it may be hidden; what was asked for, and the visible length, say the same.
    const end = length === undefined ? undefined : offset + length;
    const total = part || hidesEncoding(response) ? undefined : end;
    return { partial: true, start: offset, end, last: about.encoded && !part ? true : undefined, total, ...about };
  }
  const range = /^bytes (\d+)-(\d+)\/(\d+|\*)$/.exec(header);
  const start = parseLength(range?.[1]);
  const final = parseLength(range?.[2]);
  if (start === undefined || final === undefined || final < start) return undefined;
  const total = parseLength(range?.[3]);
  if (total !== undefined && final >= total) return undefined;
  const last = total === undefined ? undefined : final + 1 === total;
  // Of what is compressed on its way, the lengths are the compressed ones.
  if (about.encoded) return { partial: true, start, end: undefined, last, total: undefined, ...about };
  return { partial: true, start, end: final + 1, last, total: hidesEncoding(response) ? undefined : total, ...about };
}

function common({ headers }: Response): Pick<ResponseHead, 'encoded' | 'etag' | 'modified'> {
  const etag = headers.get('etag') ?? undefined;
  const modified = headers.get('last-modified') ?? undefined;
  return { encoded: isEncoded(headers), etag: etag && opaque(etag), modified };
}

function isEncoded(headers: Headers): boolean {
  const encoding = headers.get('content-encoding')?.trim().toLowerCase();
  return encoding !== undefined && encoding !== '' && encoding !== 'identity';
}

/**
 * Across origins a page sees `Content-Length`, but `Content-Encoding` only where the server exposes it, so that the length may be a
 * compressed one. `Date` is on every answer, and seen by those who may see all.
 */
function hidesEncoding({ type, headers }: Response): boolean {
  return type === 'cors' && !headers.has('date') && !headers.has('content-encoding');
}

/** Of a compressed body the length says nothing, since it is the compressed length that is declared. */
function bodyLength({ headers }: Response): number | undefined {
  return isEncoded(headers) ? undefined : parseLength(headers.get('content-length'));
}

/**
 * What two answers with the same file have in common: an ETag is weak where a server compresses on the way, and some servers then
 * write the name of the compression into it, as in `"abc-gzip"`.
 */
function opaque(etag: string): string {
  return etag.replace(/^W\//, '').replace(/(?:--?|;)(?:gzip|br|deflate|zstd)"$/, '"');
}

/** 416, which says that the file ends before the range, or only that the server has no ranges. */
function pastTheEnd({ headers }: Response, { url, offset, rangesWork, total }: Question): Answer {
  const length = parseLength(/^bytes \*\/(\d+)$/.exec(headers.get('content-range') ?? '')?.[1]);
  if (length === 0 && offset === 0) return { kind: 'refused', message: `${EMPTY} (HTTP 416, ${url}).` };
  const isPast = offset > 0 && (length === undefined ? rangesWork : length <= offset);
  if (!isPast) return { kind: 'noRange' };
  if (total === undefined || total <= offset) return { kind: 'end', total: length ?? offset };
  const message = `The file on the server is shorter than it said at first. Load it again (HTTP 416, ${url}).`;
  return { kind: 'refused', message };
}

function parseLength(text: string | null | undefined): number | undefined {
  if (text === null || text === undefined || !/^\d+$/.test(text)) return undefined;
  const length = Number(text);
  return Number.isSafeInteger(length) ? length : undefined;
}

/** Whether two answers are of two versions of the file. */
export function differ(a: ResponseHead, b: ResponseHead): boolean {
  const differs = (x: unknown, y: unknown) => x !== undefined && y !== undefined && x !== y;
  if (differs(a.total, b.total)) return true;
  const tagged = a.etag !== undefined && b.etag !== undefined;
  return tagged ? a.etag !== b.etag : differs(a.modified, b.modified);
}
