/**
 * A stand-in for the WebAssembly module with the same face. It reads its model to the last byte and answers from a script; it
 * refuses every argument that the real one would not understand, so that a test cannot pass by accident.
 */

import type { EngineInfo } from '../src/info.js';
import type { GenerationEvent } from '../src/protocol.js';
import type { PieceSource } from '../src/source/source.js';
import type { WasmEngine, WasmGeneration, WasmModule, WasmProgress } from '../src/wasm.js';

/** How the stand-in behaves. */
export interface FakeOptions {
  /** The pieces of the answer to the last message. */
  readonly answer?: (lastMessage: string) => readonly string[];
  /** Milliseconds for each group of `groupSize` tokens. */
  readonly delay?: number;
  readonly groupSize?: number;
  readonly info?: EngineInfo;
  /** Called with what load was given. */
  readonly onLoad?: (options: unknown, bytes: Uint8Array) => void;
  /** Called with each request. */
  readonly onRequest?: (request: unknown) => void;
  /** Called when the engine is closed. */
  readonly onClose?: () => void;
  /** Bytes asked for at a time. */
  readonly pieceSize?: number;
  /** Milliseconds for each piece of the file. */
  readonly loadDelay?: number;
}

/** An error as the module throws it. */
export function wasmError(name: string, message: string): Error {
  return Object.assign(new Error(message), { name });
}

export const FAKE_INFO: EngineInfo = {
  model: {
    name: 'ember',
    architecture: 'qwen3',
    parameters: 5_242_880,
    contextLength: 2048,
    trainedContextLength: 2048,
    weightTypes: ['Q8_0', 'F32'],
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
  memory: { weights: 5_570_560, kvCache: 4_194_304, activations: 1_048_576 },
  kernels: [{ kernel: 'matmul', class: 'decode Q8_0', variant: 'plain', wrong: [] }],
};

/** The module. */
export function fakeModule(fake: FakeOptions = {}): WasmModule {
  return {
    WasmEngine: {
      async load(source, optionsJson, onProgress, signal) {
        const options = parseObject(optionsJson, OPTION_KEYS);
        if (typeof onProgress !== 'function') throw new TypeError('onProgress must be a function');
        if (!(signal instanceof AbortSignal)) throw new TypeError('signal must be an AbortSignal');
        const bytes = await readAll(source, onProgress, signal, fake);
        if (new TextDecoder().decode(bytes.subarray(0, 4)) !== 'GGUF') {
          throw wasmError('BadFile', 'This is not a GGUF file. Pick another.');
        }
        fake.onLoad?.(options, bytes);
        return new FakeEngine(fake);
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

class FakeEngine implements WasmEngine {
  readonly #fake: FakeOptions;
  #closed = false;

  constructor(fake: FakeOptions) {
    this.#fake = fake;
  }

  info(): string {
    return JSON.stringify(this.#fake.info ?? FAKE_INFO);
  }

  generate(requestJson: string): WasmGeneration {
    this.#mustBeOpen();
    const request = parseObject(requestJson, REQUEST_KEYS);
    const messages = request.messages as { role: string; content: string }[];
    if (!Array.isArray(messages)) throw new TypeError('messages must be an array');
    for (const message of messages) {
      if (typeof message.role !== 'string' || typeof message.content !== 'string') {
        throw new TypeError('each message needs a role and a content, both strings');
      }
    }
    this.#fake.onRequest?.(request);
    const last = messages.at(-1)?.content ?? '';
    if (last === '') throw wasmError('BadRequest', 'The prompt is empty. Write something.');
    const pieces = this.#fake.answer?.(last) ?? ['Hel', 'lo', '!'];
    const limit = (request.max_tokens as number | undefined) ?? pieces.length;
    return new FakeGeneration(pieces.slice(0, limit), limit < pieces.length ? 'length' : 'stop', this.#fake);
  }

  count_tokens(text: string): number {
    this.#mustBeOpen();
    if (typeof text !== 'string') throw new TypeError('text must be a string');
    return text.split(/\s+/).filter((word) => word !== '').length;
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

  #mustBeOpen(): void {
    if (this.#closed) throw new Error('null pointer passed to rust');
  }
}

class FakeGeneration implements WasmGeneration {
  readonly #pieces: readonly string[];
  readonly #fake: FakeOptions;
  #reason: 'stop' | 'length' | 'aborted';
  #given = 0;
  #done = false;

  constructor(pieces: readonly string[], reason: 'stop' | 'length', fake: FakeOptions) {
    this.#pieces = pieces;
    this.#reason = reason;
    this.#fake = fake;
  }

  async next(): Promise<string | undefined> {
    if (this.#done) return undefined;
    const { delay = 0, groupSize = 4 } = this.#fake;
    if (this.#given % groupSize === 0) await new Promise((resolve) => setTimeout(resolve, delay));
    const text = this.#reason === 'aborted' ? undefined : this.#pieces[this.#given];
    if (text !== undefined) {
      this.#given += 1;
      return JSON.stringify({ type: 'text', text } satisfies GenerationEvent);
    }
    this.#done = true;
    return JSON.stringify({
      type: 'done',
      reason: this.#reason,
      usage: { prompt_tokens: 7, completion_tokens: this.#given, cached_tokens: 2 },
      timings: { prefill_ms: 12, decode_ms: Math.max(1, (this.#given / groupSize) * delay) },
    } satisfies GenerationEvent);
  }

  cancel(): void {
    this.#reason = 'aborted';
  }
}

const OPTION_KEYS = {
  context_length: 'number',
  device: 'string',
  exact_kv: 'boolean',
  default_limits: 'boolean',
  without: 'object',
};

const REQUEST_KEYS = {
  messages: 'object',
  tools: 'object',
  chat_template_kwargs: 'object',
  logit_bias: 'object',
  max_tokens: 'number',
  temperature: 'number',
  top_k: 'number',
  top_p: 'number',
  min_p: 'number',
  seed: 'number',
  stop: 'object',
  frequency_penalty: 'number',
  presence_penalty: 'number',
  repetition_penalty: 'number',
};

/** JSON of an object that has no other keys than these, each of its type. */
function parseObject(json: string, types: Readonly<Record<string, string>>): Record<string, unknown> {
  if (typeof json !== 'string') throw new TypeError('JSON must be a string');
  const value = JSON.parse(json) as Record<string, unknown>;
  for (const [key, field] of Object.entries(value)) {
    const wanted = types[key];
    if (wanted === undefined || typeof field !== wanted) {
      throw new TypeError(`the module does not understand ${key}: ${JSON.stringify(field)}`);
    }
  }
  return value;
}
