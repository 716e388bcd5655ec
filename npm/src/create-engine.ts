/** From a caller's idea of a model to a loaded engine. */

import { type Assets, assetsIn } from './assets.js';
import { Connection } from './connection.js';
import { type AdapterSource, Engine } from './engine.js';
import { BadRequestError, toInglenookError } from './errors.js';
import { specBeside, toSpec } from './model-spec.js';
import type { PageStoreOptions } from './page-store.js';
import type { LoadProgress } from './progress.js';
import type { GpuFeature, HostPort, KvType, LoadOptions } from './protocol.js';

/** What `createEngine` takes. */
export interface CreateEngineOptions {
  /**
   * A GGUF model: its URL (in Node, its path, too), a `File` or other `Blob`, a `ReadableStream` of bytes, or `'ember'`, the small
   * model that comes with the package. Of a model in parts (`…-00001-of-00003.gguf`), the URL of one, or the `File`s of all. Of a folder as
   * Hugging Face keeps it (`config.json` with safetensors), its URL with a `/` at the end, in Node its path, or its `File`s.
   */
  readonly model: string | URL | Blob | Iterable<File> | ReadableStream<Uint8Array>;
  /**
   * What the model's matrices are converted to as they are read: `'q4_k'`, `'q8_0'`, `'q4_0'`, `'q6_k'` or another type of `inglenook convert`.
   * The model itself should be of 16 or 32 bits a weight, as safetensors mostly are, and no stream.
   */
  readonly quantize?: string;
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
   * A smaller GGUF model with the same vocabulary, which drafts tokens for an answer that runs alone, or the drafter of a Gemma 4 model
   * (`gemma4-assistant`). It is loaded first, with the same `headers`.
   */
  readonly draft?: string | URL | Blob;
  /**
   * Whether a layer of the model itself that predicts a further token (multi-token prediction) drafts tokens for an answer that runs alone; by
   * default false. The file must have one, as those of Qwen3.5 and GLM-4.5 may.
   */
  readonly mtp?: boolean;
  /**
   * LoRA adapters for the model, GGUF files or folders as PEFT saves them, by the names that requests choose them by: `lora: [{ name, scale }]`.
   * They are loaded behind the model, with the same `headers`; `engine.loadAdapter` loads further ones.
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
  checkOptions(options);
  const loadOptions = toLoadOptions(options);
  const loaded = new AbortController();
  try {
    const assets = assetsIn(options.assetsUrl, base);
    const model = toSpec(options, base, assets, loaded.signal);
    const specOf = (name: string, file: AdapterSource) => specBeside(name, file, options, base, assets);
    const draft = options.draft === undefined ? undefined : specOf('draft', options.draft);
    const named = Object.entries(options.adapters ?? {});
    const adapters = named.map(([name, file]) => ({ name, adapter: specOf('adapters', file) }));
    const connection = new Connection(await openPort(assets));
    const { onProgress, signal } = options;
    const models = { model, draft, adapters, quantize: quantizeOf(options) };
    const beside = { pageStore: pageStoreOf(options), threads: options.threads };
    const info = await connection.load(models, loadOptions, assets, onProgress, signal, beside);
    return new Engine(connection, info, (file) => specOf('adapter', file));
  } catch (error) {
    throw toInglenookError(error);
  } finally {
    loaded.abort();
  }
}

/** What only a program can get wrong. @throws BadRequestError */
export function checkOptions(options: Pick<CreateEngineOptions, 'worker'>): void {
  if (typeof options !== 'object' || options === null) {
    throw new BadRequestError('Pass an options object, such as { model: "ember" }.');
  }
  if (options.worker !== undefined && typeof options.worker !== 'boolean') {
    throw new BadRequestError('`worker` must be true or false. Where its script comes from is said by `assetsUrl`.');
  }
}

/** The engine's part of the options. @throws BadRequestError */
export function toLoadOptions(options: Omit<CreateEngineOptions, 'model'>): LoadOptions {
  const { contextLength, maxSequences, maxWaiting, cacheTokens } = options;
  const { device, kvType, exactActivations, speculation, mtp, defaultLimits, without } = options;
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
    mtp,
    default_limits: defaultLimits,
    without: without && Object.fromEntries(without.map((feature) => [feature, true])),
  };
}

/** What to convert to. @throws BadRequestError */
export function quantizeOf({ quantize, model }: Pick<CreateEngineOptions, 'quantize' | 'model'>): string | undefined {
  if (quantize !== undefined && (typeof quantize !== 'string' || model instanceof ReadableStream)) {
    throw new BadRequestError('`quantize` must be the name of a type, such as "q4_k", for a model that is no stream.');
  }
  return quantize;
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
