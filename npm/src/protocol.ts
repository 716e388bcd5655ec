/** The messages between the caller's side and the host that owns the engine, and the port they travel over. */

import type { Assets } from './assets.js';
import type { InglenookError, WireError } from './errors.js';
import type { Counters, EngineInfo } from './info.js';
import type { WasmInspection } from './inspect.js';
import type { Timings, TokenLogprob, Truncated } from './openai/types.js';
import type { PageStoreOptions } from './page-store.js';
import type { LoadProgress } from './progress.js';

/** Where the model comes from, in a form that crosses to the worker. */
export type ModelSpec =
  /** The model that comes with the package, where its file is. */
  | { readonly kind: 'ember'; readonly url: string }
  | { readonly kind: 'url'; readonly url: string; readonly headers?: Readonly<Record<string, string>> | undefined }
  | { readonly kind: 'blob'; readonly blob: Blob }
  /** Those of a folder, or parts of a model; names in folders begin with the folder's. */
  | { readonly kind: 'files'; readonly files: readonly { readonly name: string; readonly blob: Blob }[] }
  | { readonly kind: 'stream'; readonly port: MessagePort; readonly size?: number | undefined };

/** What is loaded: a model, and perhaps another that drafts for it, and adapters by their names. */
export interface Models {
  readonly model: ModelSpec;
  /** What the model's matrices are converted to as they are read. */
  readonly quantize?: string | undefined;
  readonly draft?: ModelSpec | undefined;
  readonly adapters?: readonly NamedAdapter[] | undefined;
}

/** An adapter, and the name that requests choose it by. */
export interface NamedAdapter {
  readonly name: string;
  readonly adapter: ModelSpec;
}

/** What the engine is told at load: the JSON that the WebAssembly module takes. */
export interface LoadOptions {
  readonly context_length?: number | undefined;
  readonly device?: 'auto' | 'gpu' | 'cpu' | undefined;
  readonly kv_type?: KvType | undefined;
  readonly max_sequences?: number | undefined;
  readonly max_waiting?: number | undefined;
  readonly cache_tokens?: number | undefined;
  readonly exact_activations?: boolean | undefined;
  readonly no_speculation?: boolean | undefined;
  readonly mtp?: boolean | undefined;
  readonly default_limits?: boolean | undefined;
  readonly without?: { readonly [feature in GpuFeature]?: boolean } | undefined;
}

/** How keys and values may be stored. */
export type KvType = 'f16' | 'f32' | 'q8_0' | 'q4_0';

/** Features of a GPU that the engine can do without. */
export type GpuFeature = 'f16' | 'subgroups' | 'dot4';

/** To the host. */
export type Command =
  | ({
      readonly type: 'load';
      readonly options: LoadOptions;
      readonly assets: Assets;
      readonly pageStore?: PageStoreOptions | undefined;
      /** Threads of the CPU. */
      readonly threads?: number | undefined;
    } & Models)
  /** Reads a model's header alone, in place of loading. */
  | {
      readonly type: 'inspect';
      readonly model: ModelSpec;
      readonly quantize?: string | undefined;
      readonly options: LoadOptions;
      readonly assets: Assets;
      readonly threads?: number | undefined;
      /** Bytes a second. */
      readonly bandwidth?: number | undefined;
    }
  | { readonly type: 'generate'; readonly id: number; readonly request: RequestJson }
  | { readonly type: 'cancel'; readonly id: number }
  | ({ readonly type: 'ask'; readonly id: number } & Question)
  | { readonly type: 'close' };

/** A request as JSON: text crosses to a worker whatever the caller put into it. */
export type RequestJson = string;

/** What can be asked and has one answer, of the type in {@link Answers}. */
export type Question =
  | { readonly about: 'tokens'; readonly text: string; readonly special: boolean }
  | { readonly about: 'offsets'; readonly text: string; readonly special: boolean }
  | { readonly about: 'tokenCount'; readonly text: string }
  | { readonly about: 'text'; readonly tokens: Uint32Array }
  | { readonly about: 'prompt'; readonly request: RequestJson }
  | { readonly about: 'embeddings'; readonly request: RequestJson }
  | { readonly about: 'ranking'; readonly request: RequestJson }
  | ({ readonly about: 'newAdapter' } & NamedAdapter)
  | { readonly about: 'oldAdapter'; readonly name: string }
  | { readonly about: 'counters' };

/** What each question is answered with. */
export interface Answers {
  readonly tokens: Uint32Array;
  /** Three numbers a token: its id, where it begins and where it ends. */
  readonly offsets: Uint32Array;
  readonly tokenCount: number;
  readonly text: string;
  readonly prompt: string;
  /** Tokens that were computed, how many vectors there are, and these one behind the other. */
  readonly embeddings: readonly [tokens: number, count: number, numbers: Float32Array];
  readonly ranking: RankedDocuments;
  readonly newAdapter: undefined;
  readonly oldAdapter: undefined;
  readonly counters: Counters;
}

/** Documents by their places in the request, the best first. */
export interface RankedDocuments {
  readonly results: readonly { readonly index: number; readonly score: number }[];
  readonly tokens: number;
}

/** From the host. */
export type Report =
  | { readonly type: 'progress'; readonly progress: LoadProgress }
  | { readonly type: 'loaded'; readonly info: EngineInfo }
  | { readonly type: 'inspected'; readonly inspection: WasmInspection }
  | { readonly type: 'loadFailed'; readonly error: WireError }
  /** What is otherwise from now on. */
  | { readonly type: 'info'; readonly info: Partial<EngineInfo> }
  | { readonly type: 'event'; readonly id: number; readonly event: GenerationEvent }
  /** The engine has taken a request. */
  | { readonly type: 'begun'; readonly id: number }
  | { readonly type: 'ended'; readonly id: number }
  | { readonly type: 'value'; readonly id: number; readonly value: unknown }
  | { readonly type: 'failed'; readonly id: number; readonly error: WireError }
  | { readonly type: 'closed' };

/** One step of an answer, as the WebAssembly module reports it. */
export type GenerationEvent = AnswerEvent & {
  /** Which of the answer's choices it belongs to, from 0. */
  readonly choice: number;
};

/** What can happen to a choice of an answer. */
export type AnswerEvent =
  | { readonly type: 'text'; readonly text: string }
  | { readonly type: 'reasoning'; readonly text: string }
  | { readonly type: 'tool_call'; readonly index: number; readonly id: string; readonly name: string }
  /** Of the call of this index; all its texts joined are one JSON object. */
  | { readonly type: 'tool_arguments'; readonly index: number; readonly text: string }
  /** What looked like a call and is none: its text is content, and the call of this index, if any was begun, is void. */
  | { readonly type: 'malformed_call'; readonly index: number | null; readonly text: string }
  /** Of the tokens that the next event's text is made of, where the request asks for them. */
  | { readonly type: 'logprobs'; readonly tokens: readonly TokenLogprob[] }
  /** Of the prompt's tokens but the first, in pieces, where the request asks for them. */
  | { readonly type: 'prompt_logprobs'; readonly tokens: readonly TokenLogprob[] }
  /** What did not fit into the context was left out. */
  | ({ readonly type: 'truncated' } & Truncated)
  | {
      readonly type: 'done';
      readonly reason: 'stop' | 'length' | 'tool_calls' | 'content_filter' | 'aborted';
      readonly usage: {
        readonly prompt_tokens: number;
        readonly completion_tokens: number;
        readonly cached_tokens: number;
        readonly drafted_tokens: number;
        readonly accepted_tokens: number;
        readonly truncated_tokens: number;
      };
      readonly timings: Timings;
    };

/** The caller's end of the line to a host, wherever that runs. */
export interface HostPort {
  post(command: Command, transfer?: Transferable[]): void;
  /** Called for each report, in order. */
  onReport: (report: Report) => void;
  /** Called when the host did not start, or is gone; with what there is to say about it. */
  onCrash: (error: InglenookError) => void;
  /** Ends the host at once, and all that it holds with it. */
  terminate(): void;
}
