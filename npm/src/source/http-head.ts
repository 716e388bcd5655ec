/** What an HTTP response says about the file, before its first byte. */

/** The facts of one answer. */
export interface ResponseHead {
  /** Whether the server honours ranges. */
  readonly ranges: boolean;
  /** Offset in the file of the body's first byte. */
  readonly start: number;
  /** Length of the whole file in bytes, where the server tells. */
  readonly total: number | undefined;
  readonly etag: string | undefined;
  readonly modified: string | undefined;
}

/** Read the head of a successful answer (200 or 206) to a request for everything from `offset` on. */
export function readHead(response: Response, offset: number): ResponseHead {
  const { headers } = response;
  const common = { etag: headers.get('etag') ?? undefined, modified: headers.get('last-modified') ?? undefined };
  // Of a compressed body the length says nothing, and it is the compressed length that is declared.
  const compressed = !['identity', null].includes(headers.get('content-encoding'));
  const length = compressed ? undefined : parseLength(headers.get('content-length'));
  if (response.status !== 206) return { ranges: false, start: 0, total: length, ...common };

  const range = /^bytes (\d+)-\d+\/(\d+|\*)$/.exec(headers.get('content-range') ?? '');
  const start = parseLength(range?.[1]);
  // Across origins that header may be hidden; what was asked for, and the visible length, say the same.
  if (start === undefined) {
    return { ranges: true, start: offset, total: length === undefined ? undefined : offset + length, ...common };
  }
  return { ranges: true, start, total: parseLength(range?.[2]), ...common };
}

function parseLength(text: string | null | undefined): number | undefined {
  if (text === null || text === undefined || !/^\d+$/.test(text)) return undefined;
  const length = Number(text);
  return Number.isSafeInteger(length) ? length : undefined;
}

/** Why an answer is no model, and whether asking again may help. */
export interface Refusal {
  readonly message: string;
  readonly retry: boolean;
}

/** What is wrong with the answer, or `undefined` if its body is the file. */
export function refusal(response: Response, url: string, offset: number): Refusal | undefined {
  const { status } = response;
  if (status === 200 || status === 206) return webPage(response, url);
  const refused = (message: string) => ({ message: `${message} (HTTP ${status}, ${url}).`, retry: false });
  if (status === 404 || status === 410) return refused('There is no file at this address. Check it for mistakes');
  if (status === 401 || status === 403) {
    return refused('The server refuses to give this file out. Log in there first, or pass an Authorization header');
  }
  if (status === 416) {
    return refused(
      offset === 0
        ? 'The file at this address is empty. Check the address'
        : 'The file on the server is shorter than it said at first. Load it again',
    );
  }
  const passing = status === 408 || status === 425 || status === 429 || status >= 500;
  return passing
    ? { message: `the server answered HTTP ${status}`, retry: true }
    : refused('The server does not give this file out');
}

function webPage(response: Response, url: string): Refusal | undefined {
  if (!response.headers.get('content-type')?.startsWith('text/html')) return undefined;
  return {
    message: `This address leads to a web page, not to a model file (${url}). Use the address of the download itself.`,
    retry: false,
  };
}
