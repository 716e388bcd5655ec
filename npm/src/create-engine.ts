/** From a caller's idea of a model to a loaded engine. */

import { Connection } from './connection.js';
import { Engine } from './engine.js';
import { BadRequestError, toInglenookError } from './errors.js';
import type { LoadProgress } from './progress.js';
import type { HostPort, ModelSpec } from './protocol.js';
import { servePort } from './source/port-stream.js';

/** What `createEngine` takes. */
export interface CreateEngineOptions {
  /**
   * A GGUF model: its URL, a `File` or other `Blob`, a `ReadableStream` of bytes, or `'ember'`, the small model that comes with
   * the package.
   */
  readonly model: string | URL | Blob | ReadableStream<Uint8Array>;
  /** For a stream, its length in bytes if known: progress then has an end. */
  readonly size?: number;
  /** For a URL, headers of its requests, such as an `Authorization`. */
  readonly headers?: Readonly<Record<string, string>>;
  /** Longest context in tokens; by default what the model allows and the memory holds. */
  readonly contextLength?: number;
  /** Called some fifteen times a second while loading. */
  readonly onProgress?: (progress: LoadProgress) => void;
  /** Ends loading when aborted; without effect afterwards. */
  readonly signal?: AbortSignal;
}

/** Load a model on a host reached through a new port. @internal */
export async function createEngineOn(
  openPort: () => HostPort | Promise<HostPort>,
  options: CreateEngineOptions,
  base: string,
): Promise<Engine> {
  if (typeof options !== 'object' || options === null) {
    throw new BadRequestError('Pass an options object, such as { model: "ember" }.');
  }
  const { contextLength } = options;
  if (contextLength !== undefined && (!Number.isSafeInteger(contextLength) || contextLength < 1)) {
    throw new BadRequestError('`contextLength` must be a whole number of tokens, at least 1.');
  }
  const loaded = new AbortController();
  try {
    const model = toSpec(options, base, loaded.signal);
    const connection = new Connection(await openPort());
    const info = await connection.load(model, { context_length: contextLength }, options.onProgress, options.signal);
    return new Engine(connection, info);
  } catch (error) {
    throw toInglenookError(error);
  } finally {
    loaded.abort();
  }
}

function toSpec({ model, size, headers }: CreateEngineOptions, base: string, loaded: AbortSignal): ModelSpec {
  if (model === 'ember') return { kind: 'ember' };
  if (typeof model === 'string' || model instanceof URL) return { kind: 'url', url: resolveUrl(model, base), headers };
  if (model instanceof Blob) return { kind: 'blob', blob: model };
  if (model instanceof ReadableStream) {
    if (model.locked) throw new BadRequestError('The model stream is being read by someone else. Pass a fresh one.');
    return { kind: 'stream', port: servePort(model, loaded), size };
  }
  throw new BadRequestError('`model` must be a URL, a File or Blob, a ReadableStream of bytes, or "ember".');
}

/** Relative to the page, since the worker that will fetch it has another base. */
function resolveUrl(url: string | URL, base: string): string {
  try {
    return new URL(url, base).href;
  } catch {
    throw new BadRequestError(`"${String(url)}" is no valid address of a model. Pass an https: address, or "ember".`);
  }
}
