/** From a caller's idea of a model to its description. */

import type { Assets } from './assets.js';
import type { CreateEngineOptions } from './create-engine.js';
import { BadRequestError } from './errors.js';
import type { ModelSpec } from './protocol.js';
import { servePort } from './source/port-stream.js';

/** What a caller's idea of a model is, in a form that crosses to the worker. @throws BadRequestError */
export function toSpec(
  { model, size, headers }: Pick<CreateEngineOptions, 'model' | 'size' | 'headers'>,
  base: string,
  assets: Assets,
  loaded: AbortSignal,
): ModelSpec {
  if (model instanceof ReadableStream) {
    if (model.locked) throw new BadRequestError('The model stream is being read by someone else. Pass a fresh one.');
    return { kind: 'stream', port: servePort(model, loaded), size };
  }
  const spec = fileSpec('model', model, headers, base, assets);
  if (spec !== undefined) return spec;
  throw new BadRequestError(
    '`model` must be a URL, a File or Blob, several Files, a ReadableStream of bytes, or "ember".',
  );
}

function isIterable(model: unknown): model is Iterable<unknown> {
  return typeof model === 'object' && model !== null && Symbol.iterator in model;
}

function filesSpec(what: string, files: readonly unknown[]): ModelSpec {
  const named = files.map((file) => {
    if (file instanceof Blob && 'name' in file) return { name: nameOf(file as File), blob: file };
    throw new BadRequestError(
      `Several files in \`${what}\` must be a list of Files: those that a user picked, for instance.`,
    );
  });
  const [first] = named;
  if (first === undefined) throw new BadRequestError(`\`${what}\` is a list without a File. Pick one first.`);
  return named.length === 1 ? { kind: 'blob', blob: first.blob } : { kind: 'files', files: named };
}

/** Within the folder that the user picked, if it was one. */
function nameOf({ name, webkitRelativePath }: File): string {
  return webkitRelativePath?.replace(/^[^/]*\//, '') || name;
}

/** The same of what is loaded beside the model, with its `headers`. Errors call it `what`. @throws BadRequestError */
export function specBeside(
  what: string,
  file: unknown,
  { headers }: Pick<CreateEngineOptions, 'headers'>,
  base: string,
  assets: Assets,
): ModelSpec {
  const spec = fileSpec(what, file, headers, base, assets);
  if (spec !== undefined) return spec;
  throw new BadRequestError(`\`${what}\` must be a URL, a File or Blob, or several Files.`);
}

/** Files by their address or themselves. */
function fileSpec(
  what: string,
  file: unknown,
  headers: CreateEngineOptions['headers'],
  base: string,
  assets: Assets,
): ModelSpec | undefined {
  if (file === 'ember') return { kind: 'ember', url: assets.ember };
  if (typeof file === 'string' || file instanceof URL) return { kind: 'url', url: resolveUrl(file, base), headers };
  if (file instanceof Blob) return { kind: 'blob', blob: file };
  return isIterable(file) ? filesSpec(what, [...file]) : undefined;
}

/** Schemes that `fetch` knows, and those of pages from disk and of extensions. */
const FETCHED = [
  'https:',
  'http:',
  'blob:',
  'data:',
  'file:',
  'chrome-extension:',
  'moz-extension:',
  'safari-web-extension:',
];

/** Relative to the page, since the worker that will fetch it has another base. */
function resolveUrl(url: string | URL, base: string): string {
  try {
    const { href, protocol } = new URL(url, base);
    if (FETCHED.includes(protocol)) return href;
  } catch {
    // No URL at all.
  }
  throw new BadRequestError(
    `"${String(url)}" is no address that a model can be fetched from. Pass an https: address, the File that the user picked, or "ember".`,
  );
}
