/** The faces of the WebAssembly modules, as this package uses them. What loads them checks the generated types against these. */

import type { PageStore } from './page-store.js';
import type { GenerationEvent } from './protocol.js';
import type { PieceSource } from './source/source.js';

/** One loaded model on one device. */
export interface WasmEngine {
  /** Model and adapter facts: JSON of {@link import('./info.js').EngineInfo}. */
  info(): string;
  /** Start an answer, which has this number in `events()`. Errors in the request are thrown here. */
  submit(requestJson: string): number;
  /** End an answer within one decode step; its last events then say `aborted`. */
  cancel(id: number): void;
  /**
   * What has happened to all answers since the last call: the JSON of an array of {@link WasmReport}, empty once no answer is under way.
   * It moves all answers on; one call at a time.
   */
  events(): Promise<string>;
  /** Gives the page store what it lacks of the conversations so far. */
  store_pages(): Promise<void>;
  count_tokens(text: string): number;
  /** With `special`, texts of special tokens become those tokens; without, a text is only a text. */
  tokenize(text: string, special: boolean): Uint32Array;
  /** As `tokenize`, but for each token its id and the UTF-16 offsets at which its part of the text begins and ends. */
  tokenize_with_offsets(text: string, special: boolean): Uint32Array;
  /** Throws for an id that the vocabulary does not have. */
  detokenize(ids: Uint32Array): string;
  /** The prompt of a request, as the model would get it. */
  render(requestJson: string): string;
  /** Embeds texts: the tokens that were computed, how many vectors there are, and these one behind the other. */
  embed(requestJson: string): Promise<[number, number, Float32Array]>;
  /** Ranks documents: JSON of {@link import('./protocol.js').RankedDocuments}. */
  rank(requestJson: string): Promise<string>;
  /** Reads a LoRA adapter, a GGUF file, so that requests can choose it by this name. */
  load_adapter(name: string, source: PieceSource): Promise<void>;
  /** Answers that have the adapter keep it. */
  unload_adapter(name: string): void;
  /** Whether the request's form of answer needs the second module: see `set_grammars`. */
  needs_grammar(requestJson: string): boolean;
  /** The bytes of all tokens, as the second module takes them. */
  vocabulary(): Uint8Array;
  /** Tokens that end an answer. */
  eos_tokens(): Uint32Array;
  /** The tokenizer alone, for the second module. */
  tokenizer(): WasmTokenizer;
  /** From now on, requests that need a grammar have it compiled by this. */
  set_grammars(grammars: EngineGrammars): void;
  /** GPU counters since loading, as JSON. */
  counters(): string;
  /** Give all memory back, on the GPU too. Nothing else may be called afterwards. */
  close(): void;
}

/** A tokenizer; it may outlive its engine. */
export interface WasmTokenizer {
  encode_bytes(bytes: Uint8Array): Uint32Array;
  free(): void;
}

/** Who compiles grammars, as the engine asks it: in this thread or in another. */
export interface EngineGrammars {
  /** What is wrong with the description is thrown here, or by the first step. */
  compile(specJson: string): EngineMatcher;
}

/** A text under way that a grammar describes. */
export interface EngineMatcher {
  /** The words of what comes of a step, or a promise of them. */
  step(...step: MatcherStep): Uint32Array | Promise<Uint32Array>;
  free(): void;
}

/** What a text goes on by, and what is asked of the place where that leads. */
export type MatcherStep = [tokens: Uint32Array, budget: number, closes: boolean, asks: number];

/** Compiles grammars for one vocabulary. */
export interface WasmGrammars {
  /** None where texts have to be tokenised first; then it is to be asked again. */
  compile(specJson: string): WasmMatcher | undefined;
  /** The texts that have to be tokenised, where the tokenizer is elsewhere. */
  lacking(): Uint8Array[];
  learn(text: Uint8Array, tokens: Uint32Array): void;
  free(): void;
}

/** A text under way that a grammar describes. */
export interface WasmMatcher {
  /** None where texts have to be tokenised first; then `again` goes on. */
  step(...step: MatcherStep): Uint32Array | undefined;
  again(): Uint32Array | undefined;
  free(): void;
}

/** The second module, instantiated: forms of answers, and nothing else. */
export interface GrammarModule {
  /** Without `tokenize` it asks for the tokens of texts by `lacking`. */
  readonly WasmGrammars: new (
    vocabulary: Uint8Array,
    eosTokens: Uint32Array,
    tokenize?: (bytes: Uint8Array) => Uint32Array,
  ) => WasmGrammars;
}

/** What has happened to an answer: an event, or its end, or the error that was its end. */
export interface WasmReport {
  readonly id: number;
  readonly event?: GenerationEvent;
  readonly ended?: null;
  readonly failed?: { readonly name: string; readonly message: string };
}

/** Called by the module while it loads a model; `stage` is the name of what it is doing. */
export type WasmProgress = (loadedBytes: number, totalBytes: number | undefined, stage: string) => void;

/** The module that computes on the CPU: its buffers and plans have numbers. */
export interface CpuModule {
  /** What it computes with. */
  instructions(): string;
  /** Zero-filled memory: its number, or -1 where there is not so much. */
  buffer(bytes: number): number;
  releaseBuffer(buffer: number): void;
  write(buffer: number, offset: number, bytes: Uint8Array): void;
  /** For each copy buffer and offset it is from, buffer and offset it goes to, and bytes. */
  copy(list: Float64Array): void;
  /** The number of a plan of these steps. Throws where the module has failed or does not understand them. */
  plan(steps: string): number;
  /** What was chosen for the kernels of the last plan. */
  choices(): string;
  releasePlan(plan: number): void;
  /** What fails is thrown by the next `read` or `idle`. */
  run(plans: Uint32Array): void;
  read(buffer: number, offset: number, bytes: number): Uint8Array | Promise<Uint8Array>;
  /** Done once all is that was asked before. */
  idle(): void | Promise<void>;
}

/** A GGUF file that is nowhere written. */
export interface WasmModelFile {
  readonly size: number | undefined;
  /** The bytes from `offset` on: `length` of them, fewer only where the file ends. At most 4 MiB at once. */
  read(offset: number, length: number): Promise<Uint8Array>;
  free(): void;
}

/** Files beside each other, as the module asks for them. */
export interface ConvertedFiles {
  readonly names?: readonly string[] | undefined;
  open(name: string): Promise<PieceSource | undefined>;
}

/** The module that shows several files as one, instantiated. */
export interface ConvertModule {
  readonly WasmModelFile: {
    open(files: ConvertedFiles, first?: string, quantize?: string): Promise<WasmModelFile>;
    /** The folder of an adapter as the file that it is for a model. */
    open_adapter(files: ConvertedFiles, base: PieceSource): Promise<WasmModelFile>;
  };
}

/** The module, instantiated. */
export interface WasmModule {
  readonly WasmEngine: {
    /** What a model's header says, and how it would run: JSON of {@link import('./inspect.js').WasmInspection}. */
    inspect(
      source: PieceSource,
      optionsJson: string,
      signal?: AbortSignal | null,
      bandwidth?: number,
      loadCpu?: () => Promise<CpuModule>,
    ): Promise<string>;
    load(
      source: PieceSource,
      optionsJson: string,
      onProgress: WasmProgress,
      signal?: AbortSignal | null,
      draft?: PieceSource,
      pageStore?: PageStore,
      loadCpu?: () => Promise<CpuModule>,
      fetchShaders?: () => Promise<string>,
    ): Promise<WasmEngine>;
  };
}
