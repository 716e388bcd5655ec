/** Finds out why a file of the package, or what it needs of the page, cannot be had, and says what to change. */

import { DeploymentError, DownloadError, InglenookError } from './errors.js';

/** What the files are copied from, in messages. */
const FOLDER = 'node_modules/inglenook/dist/inglenook';
const OPENED_AS_FILE =
  'The page was opened as a file, and browsers let no such page fetch others. Serve its folder, from localhost for instance.';
/** Answers that may be better in a while: too many requests, and too slow a one. */
const PASSING = [408, 425, 429];

/**
 * Fetch a file of the package.
 *
 * @throws DeploymentError where it is not there or may not be fetched; DownloadError where it can be tried again
 */
export async function fetchAsset(url: string): Promise<Response> {
  const violations = watchPolicy(url);
  let response: Response;
  try {
    response = await fetch(url);
  } catch (cause) {
    const directive = await violations.directive();
    if (directive !== undefined) throw new DeploymentError(forbidden(directive, url), { cause });
    if (url.startsWith('file:')) throw new DeploymentError(OPENED_AS_FILE, { cause });
    throw new DownloadError(
      `${url} could not be fetched (${words(cause)}). Check the connection${foreign(url) ? ', and that its server allows requests from this page (CORS)' : ''}, then try again.`,
      { cause },
    );
  } finally {
    violations.stop();
  }
  if (response.status >= 500 || PASSING.includes(response.status)) {
    throw new DownloadError(`The server answered HTTP ${response.status} for ${url}. Try again in a while.`);
  }
  if (!response.ok) throw new DeploymentError(missing(url, `HTTP ${response.status}`));
  if (isPage(response)) throw new DeploymentError(missing(url, 'a page (text/html) in its place'));
  return response;
}

/**
 * Fetch a file of the package as text.
 *
 * @throws DeploymentError, DownloadError
 */
export async function readAsset(url: string): Promise<string> {
  return (await fetchAsset(url)).text().catch(brokenOff(url));
}

/**
 * Fetch and compile a WebAssembly module of the package.
 *
 * @throws DeploymentError, DownloadError, RangeError (out of memory)
 */
export async function compileAsset(url: string): Promise<WebAssembly.Module> {
  if (typeof WebAssembly === 'undefined') {
    const message =
      'This browser has no WebAssembly. Use another, or switch it on in the settings (Lockdown Mode switches it off).';
    throw new DeploymentError(message);
  }
  let response = await fetchAsset(url);
  // Streaming insists on the file's type, which many servers do not know.
  if (isWasm(response)) {
    try {
      return await WebAssembly.compileStreaming(response);
    } catch {
      // Compiling all of its bytes tells better what is wrong with them.
      response = await fetchAsset(url);
    }
  }
  const bytes = await response.arrayBuffer().catch(brokenOff(url));
  try {
    return await WebAssembly.compile(bytes);
  } catch (cause) {
    throw notCompiled(url, bytes, cause);
  }
}

/** What a body that does not arrive whole is told as. */
function brokenOff(url: string): (cause: unknown) => never {
  return (cause) => {
    throw new DownloadError(`${url} broke off (${words(cause)}). Check the connection and try again.`, { cause });
  };
}

function notCompiled(url: string, bytes: ArrayBuffer, cause: unknown): unknown {
  if (cause instanceof RangeError) return cause;
  const reason = words(cause);
  if (/content.security|\bCSP\b/i.test(reason)) {
    const message = `The Content-Security-Policy forbids WebAssembly. Add 'wasm-unsafe-eval' to its script-src, on the page and on the answer for the worker's script.`;
    return new DeploymentError(message, { cause });
  }
  const isModule = String.fromCharCode(...new Uint8Array(bytes).subarray(0, 4)) === '\0asm';
  const message = isModule
    ? `This browser cannot compile ${url} (${reason}). Use a newer browser; if it is new, the file is damaged: copy it again from ${FOLDER}.`
    : `${url} is no WebAssembly. Copy the file again from ${FOLDER}, and serve it as it is.`;
  return new DeploymentError(message, { cause });
}

/**
 * What an error of loading comes from, where that is the deployment and not what it seems.
 *
 * @param file the file of the package that was being loaded, if it was one
 */
export async function deploymentCause(error: unknown, file: string | undefined): Promise<unknown> {
  if (named(error, 'NoWebGpu') && globalThis.isSecureContext === false) {
    // The browser is not at fault; what to do is said already.
    return new DeploymentError(words(error), { cause: error });
  }
  if (file === undefined || !(named(error, 'BadFile') || named(error, 'Download'))) return error;
  const found = await fetchAsset(file).catch((problem: unknown) => problem);
  if (found instanceof Response) void found.body?.cancel();
  return found instanceof DeploymentError ? found : error;
}

/** Sentences for a worker that did not start, though its script is there. */
export function workerBlocked(directive: string | undefined, url: string): string {
  if (directive?.includes('trusted-types')) {
    return `The page's Content-Security-Policy asks for Trusted Types, and the engine's worker ${url} was blocked for it. Add inglenook to its trusted-types. Or pass \`worker: false\`, which computes in the page's own thread.`;
  }
  const remedy = foreign(url)
    ? "Add blob: to the Content-Security-Policy's worker-src, since a worker of another origin starts from a blob; or serve the package's files from this origin."
    : "Add 'self' to the Content-Security-Policy's worker-src, and answer with the page's own Cross-Origin-Embedder-Policy for the worker's script.";
  const policy = directive === undefined ? '' : ` by the Content-Security-Policy's ${directive}`;
  return `The browser blocked the engine's worker ${url}${policy}. ${remedy} Or pass \`worker: false\`, which computes in the page's own thread.`;
}

/** What a violation names in the place of an address, where a worker is started. */
const OF_WORKERS = ['blob', 'trusted-types-policy', 'trusted-types-sink'];

/** Notices, from now on, by which directive the Content-Security-Policy blocks this address, or a worker from it. */
export function watchPolicy(url: string): { directive(): Promise<string | undefined>; stop(): void } {
  let directive: string | undefined;
  const note = (event: Event) => {
    const { blockedURI, effectiveDirective } = event as SecurityPolicyViolationEvent;
    // A page may have other violations at the same time.
    const ours = OF_WORKERS.includes(blockedURI) || blockedURI.startsWith('blob:') || url.startsWith(blockedURI || ' ');
    if (ours) directive ??= effectiveDirective;
  };
  globalThis.addEventListener?.('securitypolicyviolation', note);
  return {
    // The event is a task of its own, which may come after the failure.
    directive: () => new Promise((resolve) => setTimeout(() => resolve(directive), 20)),
    stop: () => globalThis.removeEventListener?.('securitypolicyviolation', note),
  };
}

function missing(url: string, answer: string): string {
  return `A file of the package is not where it should be: the server answered ${answer} for ${url}. Bundlers without assets of their own, such as esbuild and Rollup, need the folder ${FOLDER} copied beside the bundle; or pass the address of a copy as \`assetsUrl\`. In Vite's development server, add 'inglenook' to optimizeDeps.exclude.`;
}

function forbidden(directive: string, url: string): string {
  return `The Content-Security-Policy blocked ${url}. Add ${foreign(url) ? new URL(url).origin : "'self'"} to its ${directive}, on the page and on the answer for the worker's script.`;
}

function foreign(url: string): boolean {
  // A blob's worker has the address of the blob, and the origin of its page.
  return new URL(url).origin !== globalThis.origin;
}

function isPage(response: Response): boolean {
  return response.headers.get('content-type')?.startsWith('text/html') ?? false;
}

function isWasm(response: Response): boolean {
  return response.headers.get('content-type')?.split(';')[0]?.trim() === 'application/wasm';
}

function named(error: unknown, code: string): boolean {
  if (error instanceof InglenookError) return error.code === code;
  return typeof error === 'object' && error !== null && 'name' in error && error.name === code;
}

function words(error: unknown): string {
  return error instanceof Error ? error.message : String(error);
}
