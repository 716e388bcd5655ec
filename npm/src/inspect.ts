/** What a model is, and whether and how it would run here, from its header alone. */

import { type Assets, assetsIn } from './assets.js';
import { Connection } from './connection.js';
import { type CreateEngineOptions, checkOptions, quantizeOf, toLoadOptions } from './create-engine.js';
import { BadRequestError, type ErrorCode, toInglenookError } from './errors.js';
import type { AdapterInfo, ModelInfo } from './info.js';
import { toSpec } from './model-spec.js';
import type { HostPort, KvType } from './protocol.js';

/** What `Model.inspect` may be told beside the model: as in `createEngine`, where it is not said otherwise. */
export interface InspectOptions
  extends Pick<
    CreateEngineOptions,
    | 'quantize'
    | 'size'
    | 'headers'
    | 'device'
    | 'kvType'
    | 'threads'
    | 'defaultLimits'
    | 'without'
    | 'assetsUrl'
    | 'worker'
    | 'signal'
  > {
  /** Tokens of context by which the model is judged; by default 4096, or what it was trained for if that is less. */
  readonly contextLength?: number;
  /** Bytes that the device moves in a second, where the caller knows it. It is measured only where a device has to be chosen. */
  readonly bandwidth?: number;
}

/** What a header says, in what memory the model would run, and how fast. */
export interface ModelInspection {
  /** What the file says of itself. */
  readonly model: Pick<ModelInfo, 'name' | 'architecture' | 'parameters' | 'weightTypes'> & {
    readonly layers: number | null;
    readonly trainedContextLength: number | null;
    /** `null` where it cannot be run. */
    readonly purpose: ModelInfo['purpose'] | null;
  };
  /** Length of the file, where it is known. */
  readonly bytes: number | null;
  /** Whether it can be run here, with the context and the type of cache that were asked for. */
  readonly canRun: boolean;
  /** Why not, with the code of the error that loading would end with, and what would help. */
  readonly problem: { readonly code: ErrorCode; readonly message: string } | null;
  /** Where it would run, and why there. `null` where it could not run anywhere, or the device that was asked for is not there. */
  readonly device: {
    readonly adapter: AdapterInfo;
    readonly reason: string;
    /** Bytes there are at most; browsers do not tell a GPU's. */
    readonly memory: number | null;
  } | null;
  /** `null` where there is no device. */
  readonly outlook: ModelOutlook | null;
  /** Bytes a second, where they were given or measured. */
  readonly bandwidth: number | null;
  /** At most, at the beginning of a context, since `readPerToken` bytes are read for each token. `null` without a bandwidth. */
  readonly tokensPerSecond: number | null;
}

/** Memory of a model with one conversation. */
export interface ModelOutlook {
  readonly contextLength: number;
  readonly kvType: KvType;
  /** Bytes of its parts. */
  readonly needs: {
    readonly weights: number;
    readonly activations: number;
    readonly kvPerToken: number;
    /** Of layers with a sliding window, which do not grow with the context. */
    readonly kvWindows: number;
  };
  /** Bytes of all of it. */
  readonly total: number;
  /** The same for usual contexts, up to the longest that it was trained for, with each type of cache that the model can have. */
  readonly contexts: readonly {
    readonly tokens: number;
    readonly memory: readonly {
      readonly kvType: KvType;
      readonly bytes: number;
      /** As far as the device tells its memory. */
      readonly fits: boolean;
    }[];
  }[];
  /** Bytes of weights. */
  readonly readPerToken: number;
}

/** As the WebAssembly module tells it. */
export type WasmInspection = Omit<ModelInspection, 'canRun'>;

/** Inspect a model on a host reached through a new port. @internal */
export async function inspectOn(
  openPort: (assets: Assets) => HostPort | Promise<HostPort>,
  source: CreateEngineOptions['model'],
  options: InspectOptions,
  base: string,
): Promise<ModelInspection> {
  checkOptions(options);
  const { size, headers, bandwidth, threads, signal } = options;
  if (bandwidth !== undefined && !(Number.isFinite(bandwidth) && bandwidth > 0)) {
    throw new BadRequestError('`bandwidth` must be a number of bytes a second.');
  }
  const loadOptions = toLoadOptions(options);
  const quantize = quantizeOf({ model: source, ...(options.quantize !== undefined && { quantize: options.quantize }) });
  const ended = new AbortController();
  try {
    const assets = assetsIn(options.assetsUrl, base);
    const named = { model: source, ...(size !== undefined && { size }), ...(headers && { headers }) };
    const model = toSpec(named, base, assets, ended.signal);
    const connection = new Connection(await openPort(assets));
    const told = await connection.inspect(
      { model, quantize, options: loadOptions, assets, threads, bandwidth },
      signal,
    );
    return { ...told, canRun: told.problem === null };
  } catch (error) {
    throw toInglenookError(error);
  } finally {
    ended.abort();
  }
}
