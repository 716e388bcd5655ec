/**
 * A stand-in for the WebAssembly module with the same face. It reads its model to the last byte and answers from a script; it
 * refuses every argument that the real one would not understand, so that a test cannot pass by accident.
 */

import { fieldTable } from '../scripts/field-table.js';
import type { EngineInfo } from '../src/info.js';
import type { WasmInspection } from '../src/inspect.js';
import type { Tool } from '../src/openai/tools.js';
import type { PageStore } from '../src/page-store.js';
import type { AnswerEvent, GenerationEvent } from '../src/protocol.js';
import type { PieceSource } from '../src/source/source.js';
import type { EngineGrammars, WasmEngine, WasmModule, WasmProgress, WasmReport, WasmTokenizer } from '../src/wasm.js';

/** How the stand-in behaves. */
export interface FakeOptions {
  /** The answer to the last message, in pieces: texts, and events of any kind but the last. */
  readonly answer?: (lastMessage: string) => readonly FakePiece[];
  /** Milliseconds for each group of `groupSize` tokens. */
  readonly delay?: number;
  readonly groupSize?: number;
  readonly info?: EngineInfo;
  /** What is not as usual when a model is inspected. */
  readonly inspection?: Partial<WasmInspection>;
  /** Called with what load was given. */
  readonly onLoad?: (options: unknown, bytes: Uint8Array, draft: Uint8Array | undefined) => void;
  /** Called with each adapter. */
  readonly onAdapter?: (name: string, bytes: Uint8Array) => void;
  /** Called with each request. */
  readonly onRequest?: (request: unknown) => void;
  /** Called when the engine is closed. */
  readonly onClose?: () => void;
  /** Called when the grammar module's tokenizer is given back. */
  readonly onTokenizerFree?: () => void;
  /** Bytes asked for at a time. */
  readonly pieceSize?: number;
  /** Milliseconds for each piece of the file. */
  readonly loadDelay?: number;
}

/** A text, or an event. */
export type FakePiece = string | Exclude<AnswerEvent, { type: 'done' }>;

/** An error as the module throws it. */
export function wasmError(name: string, message: string): Error {
  return Object.assign(new Error(message), { name });
}

/** The special token of the stand-in's vocabulary, whose other tokens are code points. */
export const FAKE_END = 0x110000;

export const FAKE_INFO: EngineInfo = {
  model: {
    name: 'ember',
    architecture: 'qwen3',
    parameters: 5_242_880,
    contextLength: 2048,
    trainedContextLength: 2048,
    weightTypes: ['Q8_0', 'F32'],
    purpose: 'generate',
    chat: true,
    recommended: { temperature: null, top_k: null, top_p: null, min_p: null },
  },
  adapter: {
    name: 'Stand-in',
    backend: 'webgpu',
    driver: '',
    software: true,
    features: ['subgroups', 'timestamp-query'],
    limits: { maxBufferSize: 1 << 30, maxStorageBufferBindingSize: 1 << 27 },
  },
  reason: 'a GPU was asked for, and there is only this software adapter',
  memory: { weights: 5_570_560, kvCache: 4_194_304, activations: 1_048_576 },
  kernels: [{ kernel: 'matmul', class: 'decode Q8_0', variant: 'plain', wrong: [] }],
  grammars: 'inline',
};

/** What a reader of headers asks for at first, in bytes. */
export const HEADER_PIECE = 256 << 10;

const FAKE_OUTLOOK = {
  needs: { weights: 5_570_560, activations: 1_048_576, kvPerToken: 2048, kvWindows: 0 },
  total: 10_813_440,
  contexts: [{ tokens: 2048, memory: [{ kvType: 'f16', bytes: 10_813_440, fits: true }] }],
  readPerToken: 5_570_560,
};

const FAKE_INSPECTION = {
  model: {
    name: 'ember',
    architecture: 'qwen3',
    parameters: 5_242_880,
    weightTypes: ['Q8_0', 'F32'],
    layers: 6,
    trainedContextLength: 2048,
    purpose: 'generate',
  },
  problem: null,
  device: { adapter: FAKE_INFO.adapter, reason: FAKE_INFO.reason, memory: null },
  tokensPerSecond: 8078,
};

/** The module. */
export function fakeModule(fake: FakeOptions = {}): WasmModule {
  return {
    WasmEngine: {
      async inspect(source, optionsJson, signal, bandwidth = 45_000_000_000) {
        const { context_length = 2048, kv_type = 'f16' } = parseObject(optionsJson, OPTION_KEYS);
        if (!(signal instanceof AbortSignal)) throw new TypeError('signal must be an AbortSignal');
        // As the reader of headers does: this much, and no more where the header ends before.
        const piece = await source.read(0, HEADER_PIECE);
        if (new TextDecoder().decode(piece.subarray(0, 4)) !== 'GGUF') {
          throw wasmError('BadFile', 'This is not a GGUF file. Pick another.');
        }
        const outlook = { ...FAKE_OUTLOOK, contextLength: context_length, kvType: kv_type };
        return JSON.stringify({ ...FAKE_INSPECTION, bytes: source.size, outlook, bandwidth, ...fake.inspection });
      },
      async load(source, optionsJson, onProgress, signal, draft, pageStore) {
        const options = parseObject(optionsJson, OPTION_KEYS);
        if (typeof onProgress !== 'function') throw new TypeError('onProgress must be a function');
        if (!(signal instanceof AbortSignal)) throw new TypeError('signal must be an AbortSignal');
        const draftBytes = draft && (await readAll(draft, onProgress, signal, fake));
        const bytes = await readAll(source, onProgress, signal, fake);
        if (new TextDecoder().decode(bytes.subarray(0, 4)) !== 'GGUF') {
          throw wasmError('BadFile', 'This is not a GGUF file. Pick another.');
        }
        fake.onLoad?.(options, bytes, draftBytes);
        return new FakeEngine(fake, pageStore);
      },
    },
  };
}

async function readAll(
  source: PieceSource,
  onProgress: WasmProgress,
  signal: AbortSignal,
  { pieceSize = 1 << 20, loadDelay = 0 }: FakeOptions,
): Promise<Uint8Array> {
  if (source.size !== undefined && !Number.isSafeInteger(source.size)) throw new TypeError('size must be whole');
  const pieces: Uint8Array[] = [];
  let offset = 0;
  for (;;) {
    if (signal.aborted) throw wasmError('Aborted', 'Loading was aborted.');
    const piece = await source.read(offset, pieceSize);
    if (!(piece instanceof Uint8Array)) throw new TypeError('read must give a Uint8Array');
    if (piece.length === 0) break;
    if (piece.length > pieceSize) throw new RangeError('read gave more than was asked for');
    pieces.push(piece.slice());
    offset += piece.length;
    onProgress(offset, source.size, 'weights');
    if (loadDelay > 0) await new Promise((resolve) => setTimeout(resolve, loadDelay));
  }
  if (source.size !== undefined && offset !== source.size) throw wasmError('BadFile', 'The file ends early.');
  return new Uint8Array(await new Blob(pieces as BlobPart[]).arrayBuffer());
}

const EMBEDDING_KEYS = {
  input: ['string', 'object'],
  dimensions: 'number',
  encoding_format: 'string',
  prompt_name: 'string',
  prompt: 'string',
  truncate: 'boolean',
  normalize: 'boolean',
  model: 'string',
  user: 'string',
};

const RANKING_KEYS = {
  query: 'string',
  documents: 'object',
  top_n: 'number',
  instruction: 'string',
  return_documents: 'boolean',
  truncate: 'boolean',
  raw_scores: 'boolean',
  model: 'string',
};

class FakeEngine implements WasmEngine {
  readonly #fake: FakeOptions;
  readonly #pageStore: PageStore | undefined;
  readonly #adapters = new Set<string>();
  /** The choices of each answer that are still open. */
  readonly #answers = new Map<number, readonly FakeAnswer[]>();
  #grammars: EngineGrammars | undefined;
  #closed = false;
  #asked = false;
  #lastId = 0;

  constructor(fake: FakeOptions, pageStore: PageStore | undefined) {
    this.#fake = fake;
    this.#pageStore = pageStore;
  }

  /** Stores how many answers were begun. */
  async store_pages(): Promise<void> {
    this.#mustBeOpen();
    await this.#pageStore?.put('a'.repeat(64), Uint8Array.of(this.#lastId));
  }

  info(): string {
    return JSON.stringify(this.#fake.info ?? FAKE_INFO);
  }

  submit(requestJson: string): number {
    const request = this.#read(requestJson);
    if (this.needs_grammar(requestJson)) {
      if (this.#grammars === undefined) throw wasmError('Internal', 'This answer needs a grammar, and none is set.');
      this.#grammars.compile(JSON.stringify(request.response_format ?? request.tools));
    }
    this.#fake.onRequest?.(request);
    const last = String(request.messages.at(-1)?.content ?? '');
    if (last === '') throw wasmError('BadRequest', 'The prompt is empty. Write something.');
    const pieces = this.#fake.answer?.(last) ?? ['Hel', 'lo', '!'];
    const limit = (request.max_tokens as number | undefined) ?? pieces.length;
    this.#lastId += 1;
    const choices = Array.from(
      { length: (request.n as number | undefined) ?? 1 },
      (_, choice) => new FakeAnswer(choice, pieces.slice(0, limit), limit < pieces.length, this.#fake),
    );
    this.#answers.set(this.#lastId, choices);
    return this.#lastId;
  }

  cancel(id: number): void {
    this.#mustBeOpen();
    for (const choice of this.#answers.get(id) ?? []) choice.cancel();
  }

  async events(): Promise<string> {
    this.#mustBeOpen();
    if (this.#asked) throw new Error('events was asked twice at once');
    this.#asked = true;
    if ([...this.#answers.values()].flat().some((choice) => choice.waits)) {
      await new Promise((resolve) => setTimeout(resolve, this.#fake.delay ?? 0));
    }
    this.#asked = false;
    this.#mustBeOpen();
    const reports: WasmReport[] = [];
    for (const [id, choices] of this.#answers) {
      const open = choices.filter((choice) => {
        const event = choice.next();
        reports.push({ id, event });
        return event.type !== 'done';
      });
      this.#answers.set(id, open);
      if (open.length > 0) continue;
      reports.push({ id, ended: null });
      this.#answers.delete(id);
    }
    return JSON.stringify(reports);
  }

  count_tokens(text: string): number {
    return this.tokenize(text, false).length;
  }

  /** A token a code point; with `special`, `<|end|>` is one. */
  tokenize(text: string, special: boolean): Uint32Array {
    this.#mustBeOpen();
    if (typeof text !== 'string' || !text.isWellFormed()) throw new TypeError('text must be a well-formed string');
    if (typeof special !== 'boolean') throw new TypeError('special must be a boolean');
    const parts = special ? text.split(/(<\|end\|>)/) : [text];
    return Uint32Array.from(parts.flatMap((part) => (special && part === '<|end|>' ? [FAKE_END] : codePoints(part))));
  }

  tokenize_with_offsets(text: string, special: boolean): Uint32Array {
    let end = 0;
    const place = (id: number): number[] => {
      const start = end;
      end += id === FAKE_END ? '<|end|>'.length : String.fromCodePoint(id).length;
      return [id, start, end];
    };
    return Uint32Array.from([...this.tokenize(text, special)].flatMap(place));
  }

  detokenize(ids: Uint32Array): string {
    this.#mustBeOpen();
    if (!(ids instanceof Uint32Array)) throw new TypeError('ids must be a Uint32Array');
    const unknown = ids.find((id) => id > FAKE_END);
    if (unknown !== undefined) throw wasmError('BadRequest', `There is no token ${unknown}. Use ids of this model.`);
    return Array.from(ids, (id) => (id === FAKE_END ? '<|end|>' : String.fromCodePoint(id))).join('');
  }

  render(requestJson: string): string {
    return this.#read(requestJson)
      .messages.map(({ role, content }) => `<${role}>${content ?? ''}`)
      .join('');
  }

  /** Of each text its length, 1 and 0.5. */
  async embed(requestJson: string): Promise<[number, number, Float32Array]> {
    this.#mustBeOpen();
    const { input } = parseObject(requestJson, EMBEDDING_KEYS);
    const texts = Array.isArray(input) && typeof input[0] !== 'number' ? input : [input];
    if (texts.length === 0) throw wasmError('BadRequest', 'There is no text. Give one.');
    const lengths = texts.map((text: string | number[]) => text.length);
    const numbers = Float32Array.from(lengths.flatMap((length) => [length, 1, 0.5]));
    return [lengths.reduce((sum, length) => sum + length, 0), texts.length, numbers];
  }

  /** The longest document first. */
  async rank(requestJson: string): Promise<string> {
    this.#mustBeOpen();
    const { documents, top_n } = parseObject(requestJson, RANKING_KEYS) as { documents: string[]; top_n?: number };
    const results = documents.map((document, index) => ({ index, score: document.length / 100 }));
    results.sort((one, other) => other.score - one.score);
    return JSON.stringify({ results: results.slice(0, top_n), tokens: documents.join('').length });
  }

  async load_adapter(name: string, source: PieceSource): Promise<void> {
    this.#mustBeOpen();
    if (typeof name !== 'string') throw new TypeError('name must be a string');
    if (this.#adapters.has(name))
      throw wasmError('BadRequest', `An adapter called "${name}" is loaded. Choose another name.`);
    const bytes = await readAll(source, () => undefined, new AbortController().signal, this.#fake);
    if (new TextDecoder().decode(bytes.subarray(0, 4)) !== 'GGUF') {
      throw wasmError('BadFile', 'This is not a GGUF file. Pick another.');
    }
    this.#fake.onAdapter?.(name, bytes);
    this.#adapters.add(name);
  }

  unload_adapter(name: string): void {
    this.#mustBeOpen();
    if (!this.#adapters.delete(name)) throw wasmError('BadRequest', `No adapter called "${name}" is loaded.`);
  }

  needs_grammar(requestJson: string): boolean {
    const { response_format, tools = [], tool_choice = 'auto' } = this.#read(requestJson);
    const strict = (tools as Tool[]).some((tool) => tool.function.strict === true);
    const form = response_format as { type: string } | undefined;
    return (form !== undefined && form.type !== 'text') || (tool_choice !== 'auto' && tool_choice !== 'none') || strict;
  }

  vocabulary(): Uint8Array {
    this.#mustBeOpen();
    return Uint8Array.of(1, 2, 3);
  }

  eos_tokens(): Uint32Array {
    this.#mustBeOpen();
    return Uint32Array.of(FAKE_END);
  }

  tokenizer(): WasmTokenizer {
    this.#mustBeOpen();
    return fakeTokenizer(() => this.#fake.onTokenizerFree?.());
  }

  set_grammars(grammars: EngineGrammars): void {
    this.#mustBeOpen();
    if (typeof grammars.compile !== 'function') throw new TypeError('grammars must compile');
    this.#grammars = grammars;
  }

  counters(): string {
    this.#mustBeOpen();
    return JSON.stringify({ dispatches: 3, submits: 1 });
  }

  close(): void {
    this.#mustBeOpen();
    this.#closed = true;
    this.#fake.onClose?.();
  }

  #read(requestJson: string): Record<string, unknown> & { messages: { role: string; content?: string | null }[] } {
    this.#mustBeOpen();
    const request = parseRequest(requestJson);
    const { messages } = request;
    if (!Array.isArray(messages) || messages.length === 0) throw wasmError('BadRequest', 'The request has no prompt.');
    for (const { role, content } of messages) {
      if (typeof role !== 'string' || !(content == null || typeof content === 'string')) {
        throw new TypeError('each message needs a role, and a content that is a string, if any');
      }
    }
    return { ...request, messages };
  }

  #mustBeOpen(): void {
    if (this.#closed) throw new Error('null pointer passed to rust');
  }
}

function codePoints(text: string): number[] {
  return Array.from(text, (character) => character.codePointAt(0) ?? 0);
}

/** A tokenizer of the stand-in's, as the grammar module gets it: a token a byte. */
function fakeTokenizer(onFree: () => void): WasmTokenizer {
  let freed = false;
  return {
    encode_bytes(bytes) {
      if (freed) throw new Error('null pointer passed to rust');
      if (!(bytes instanceof Uint8Array)) throw new TypeError('bytes must be a Uint8Array');
      return Uint32Array.from(bytes);
    },
    free() {
      if (freed) throw new Error('freed twice');
      freed = true;
      onFree();
    },
  };
}

/** One choice of an answer. */
class FakeAnswer {
  readonly #choice: number;
  readonly #pieces: readonly FakePiece[];
  readonly #fake: FakeOptions;
  #reason: Extract<GenerationEvent, { type: 'done' }>['reason'];
  #given = 0;

  constructor(choice: number, pieces: readonly FakePiece[], cut: boolean, fake: FakeOptions) {
    this.#choice = choice;
    const calls = pieces.some((piece) => typeof piece !== 'string' && piece.type === 'tool_call');
    this.#pieces = pieces;
    this.#reason = cut ? 'length' : calls ? 'tool_calls' : 'stop';
    this.#fake = fake;
  }

  /** Whether tokens have to be waited for before the next event. */
  get waits(): boolean {
    return this.#given % (this.#fake.groupSize ?? 4) === 0;
  }

  next(): GenerationEvent {
    const { delay = 0, groupSize = 4 } = this.#fake;
    const piece = this.#reason === 'aborted' ? undefined : this.#pieces[this.#given];
    if (piece !== undefined) {
      this.#given += 1;
      return { choice: this.#choice, ...(typeof piece === 'string' ? { type: 'text', text: piece } : piece) };
    }
    return {
      choice: this.#choice,
      type: 'done',
      reason: this.#reason,
      usage: {
        prompt_tokens: 7,
        completion_tokens: this.#given,
        cached_tokens: 2,
        drafted_tokens: 0,
        accepted_tokens: 0,
        truncated_tokens: this.#truncated(),
      },
      timings: { queue_ms: 0, prefill_ms: 12, decode_ms: Math.max(1, (this.#given / groupSize) * delay) },
    };
  }

  cancel(): void {
    this.#reason = 'aborted';
  }

  #truncated(): number {
    const tokens = (piece: FakePiece) => (typeof piece !== 'string' && piece.type === 'truncated' ? piece.tokens : 0);
    return this.#pieces.reduce((all, piece) => all + tokens(piece), 0);
  }
}

const OPTION_KEYS = {
  context_length: 'number',
  device: 'string',
  kv_type: 'string',
  max_sequences: 'number',
  max_waiting: 'number',
  cache_tokens: 'number',
  exact_activations: 'boolean',
  no_speculation: 'boolean',
  mtp: 'boolean',
  default_limits: 'boolean',
  without: 'object',
};

/** The fields that the engine reads or ignores. */
const REQUEST_FIELDS = fieldTable()[''] ?? {};

/** A request of fields that the engine has, without those that are null. */
function parseRequest(json: string): Record<string, unknown> {
  if (typeof json !== 'string') throw new TypeError('JSON must be a string');
  const request = Object.entries(JSON.parse(json) as object).filter(([, value]) => value !== null);
  const unknown = request.find(([key]) => REQUEST_FIELDS[key] === undefined);
  if (unknown !== undefined) throw wasmError('Unsupported', `\`${unknown[0]}\` is no field of a request; leave it out`);
  return Object.fromEntries(request);
}

/** JSON of an object that has no other keys than these, each of its type. */
function parseObject(
  json: string,
  types: Readonly<Record<string, string | readonly string[]>>,
): Record<string, unknown> {
  if (typeof json !== 'string') throw new TypeError('JSON must be a string');
  const value = JSON.parse(json) as Record<string, unknown>;
  for (const [key, field] of Object.entries(value)) {
    const wanted = types[key];
    if (wanted === undefined || field === null || ![wanted].flat().includes(typeof field)) {
      throw new TypeError(`the module does not understand ${key}: ${JSON.stringify(field)}`);
    }
  }
  return value;
}
