/** From a caller's idea of a model to a loaded engine. */

import { type Assets, assetsIn } from './assets.js';
import { Connection } from './connection.js';
import { type AdapterSource, Engine } from './engine.js';
import { BadRequestError, toInglenookError } from './errors.js';
import type { PageStoreOptions } from './page-store.js';
import type { LoadProgress } from './progress.js';
import type { GpuFeature, HostPort, KvType, LoadOptions, ModelSpec } from './protocol.js';
import { servePort } from './source/port-stream.js';

/** What `createEngine` takes. */
export interface CreateEngineOptions {
  /**
   * A GGUF model: its URL (in Node, its path, too), a `File` or other `Blob`, a `ReadableStream` of bytes, or `'ember'`, the small
   * model that comes with the package.
   */
  readonly model: string | URL | Blob | ReadableStream<Uint8Array>;
  /** For a stream, its length in bytes if known: progress then has an end. */
  readonly size?: number;
  /** For a URL, headers of its requests, such as an `Authorization`. */
  readonly headers?: Readonly<Record<string, string>>;
  /** Longest context in tokens; by default 4096, or what the model was trained for if that is less. */
  readonly contextLength?: number;
  /**
   * Where it runs. By default `'auto'`: on a GPU, and where there is none, or only software that acts as one, on the CPU. With `'gpu'`
   * a missing one is an error, and software is used where there is nothing else. `EngineInfo` says what came of it, and why.
   */
  readonly device?: 'auto' | 'gpu' | 'cpu';
  /**
   * How keys and values are stored: `'f16'` by default, `'q8_0'` and `'q4_0'` take a half and a quarter of its memory, `'f32'` is exact.
   */
  readonly kvType?: KvType;
  /** Answers that are given at once, 1 to 8; by default 8. Further requests wait for their turn. */
  readonly maxSequences?: number;
  /** Requests that may wait; by default 256. Further ones fail with a `BusyError`. */
  readonly maxWaiting?: number;
  /** Tokens of keys and values that are kept, of all conversations; by default the context. */
  readonly cacheTokens?: number;
  /**
   * Whether the CPU computes with activations as they are, instead of rounding them to 16 bits with a scale for each 32; by default
   * false. It is slower, and seldom gives another token.
   */
  readonly exactActivations?: boolean;
  /**
   * Threads of the CPU, where that runs the model; no more than it has cores. Where threads can share memory (on pages with
   * `crossOriginIsolated`, and in Node), by default all cores, up to 4; elsewhere 1, and further ones exchange messages, which pays for
   * prompts and for large models. Each but the first holds its share of the weights in memory of its own. `EngineInfo.threads` says what
   * came of it.
   */
  readonly threads?: number;
  /** Whether tokens that the prompt or the answer had before are drafted and verified together; by default true. They are the same. */
  readonly speculation?: boolean;
  /** Keeps what was computed of conversations in a folder, so that one that is opened again later is not computed again. */
  readonly pageStore?: PageStoreOptions;
  /**
   * A smaller GGUF model with the same vocabulary, which drafts tokens for an answer that runs alone. It is loaded first, with the same
   * `headers`.
   */
  readonly draft?: string | URL | Blob;
  /**
   * LoRA adapters for the model, GGUF files, by the names that requests choose them by: `lora: [{ name, scale }]`. They are loaded behind
   * the model, with the same `headers`; `engine.loadAdapter` loads further ones.
   */
  readonly adapters?: Readonly<Record<string, AdapterSource>>;
  /** Ask the GPU for no more than WebGPU's default limits: how the engine behaves on the smallest devices. */
  readonly defaultLimits?: boolean;
  /** Features of the GPU to leave unused, to compare or to work around a driver. */
  readonly without?: readonly GpuFeature[];
  /**
   * Where the package's own files are served: the folder `dist/inglenook` of the package. By default where the bundler put them, or
   * beside the bundle in a folder of that name.
   */
  readonly assetsUrl?: string | URL;
  /**
   * `false` starts no worker: all is computed in the caller's own thread, as is done anyway where no worker can be started: in service
   * workers, and in all workers of Firefox. A page does not answer to its user meanwhile. Outside of browsers only grammars have a worker.
   */
  readonly worker?: boolean;
  /** Called some fifteen times a second while loading. */
  readonly onProgress?: (progress: LoadProgress) => void;
  /** Ends loading when aborted; without effect afterwards. */
  readonly signal?: AbortSignal;
}

/** Load a model on a host reached through a new port. @internal */
export async function createEngineOn(
  openPort: (assets: Assets) => HostPort | Promise<HostPort>,
  options: CreateEngineOptions,
  base: string,
): Promise<Engine> {
  if (typeof options !== 'object' || options === null) {
    throw new BadRequestError('Pass an options object, such as { model: "ember" }.');
  }
  if (options.worker !== undefined && typeof options.worker !== 'boolean') {
    throw new BadRequestError('`worker` must be true or false. Where its script comes from is said by `assetsUrl`.');
  }
  const loadOptions = toLoadOptions(options);
  const loaded = new AbortController();
  try {
    const assets = assetsIn(options.assetsUrl, base);
    const model = toSpec(options, base, assets, loaded.signal);
    const specOf = specsBeside(options, base, assets);
    const draft = options.draft === undefined ? undefined : specOf('draft', options.draft);
    const named = Object.entries(options.adapters ?? {});
    const adapters = named.map(([name, file]) => ({ name, adapter: specOf('adapters', file) }));
    const connection = new Connection(await openPort(assets));
    const { onProgress, signal } = options;
    const models = { model, draft, adapters };
    const beside = { pageStore: pageStoreOf(options), threads: options.threads };
    const info = await connection.load(models, loadOptions, assets, onProgress, signal, beside);
    return new Engine(connection, info, (file) => specOf('adapter', file));
  } catch (error) {
    throw toInglenookError(error);
  } finally {
    loaded.abort();
  }
}

function toLoadOptions(options: CreateEngineOptions): LoadOptions {
  const { contextLength, maxSequences, maxWaiting, cacheTokens } = options;
  const { device, kvType, exactActivations, speculation, defaultLimits, without } = options;
  const { threads } = options;
  if (threads !== undefined && !(Number.isSafeInteger(threads) && threads >= 0)) {
    throw new BadRequestError('`threads` must be a whole number.');
  }
  for (const [name, value] of Object.entries({ contextLength, maxSequences, maxWaiting, cacheTokens })) {
    if (value !== undefined && (!Number.isSafeInteger(value) || value < 1 || value >= 2 ** 32)) {
      throw new BadRequestError(`\`${name}\` must be a whole number, at least 1.`);
    }
  }
  return {
    context_length: contextLength,
    device,
    kv_type: kvType,
    max_sequences: maxSequences,
    max_waiting: maxWaiting,
    cache_tokens: cacheTokens,
    exact_activations: exactActivations,
    no_speculation: speculation === undefined ? undefined : !speculation,
    default_limits: defaultLimits,
    without: without && Object.fromEntries(without.map((feature) => [feature, true])),
  };
}

/** A plain copy, which crosses to the worker whatever the caller's object is. */
function pageStoreOf({ pageStore }: CreateEngineOptions): PageStoreOptions | undefined {
  if (pageStore === undefined) return undefined;
  const { folder, maxBytes = 2 ** 30 } = pageStore;
  if (typeof folder !== 'string' || folder === '' || !(maxBytes >= 0)) {
    throw new BadRequestError(
      '`pageStore` must be { folder, maxBytes? }: the name of a folder, and a number of bytes.',
    );
  }
  return { folder, maxBytes };
}

function toSpec(options: CreateEngineOptions, base: string, assets: Assets, loaded: AbortSignal): ModelSpec {
  const { model, size, headers } = options;
  if (model instanceof ReadableStream) {
    if (model.locked) throw new BadRequestError('The model stream is being read by someone else. Pass a fresh one.');
    return { kind: 'stream', port: servePort(model, loaded), size };
  }
  const spec = fileSpec(model, headers, base, assets);
  if (spec !== undefined) return spec;
  throw new BadRequestError('`model` must be a URL, a File or Blob, a ReadableStream of bytes, or "ember".');
}

/** Specs of files that are loaded beside the model, with its `headers`. Errors call the file `name`. */
function specsBeside({ headers }: CreateEngineOptions, base: string, assets: Assets) {
  return (name: string, file: AdapterSource): ModelSpec => {
    const spec = fileSpec(file, headers, base, assets);
    if (spec !== undefined) return spec;
    throw new BadRequestError(`\`${name}\` must be a URL, or a File or Blob.`);
  };
}

function fileSpec(
  file: unknown,
  headers: CreateEngineOptions['headers'],
  base: string,
  assets: Assets,
): ModelSpec | undefined {
  if (file === 'ember') return { kind: 'ember', url: assets.ember };
  if (typeof file === 'string' || file instanceof URL) return { kind: 'url', url: resolveUrl(file, base), headers };
  return file instanceof Blob ? { kind: 'blob', blob: file } : undefined;
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
