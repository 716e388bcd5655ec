/** The caller's side of the line to a host: commands out, promises and event queues back. */

import type { Assets } from './assets.js';
import { AbortedError, EngineClosedError, fromWire } from './errors.js';
import { EventQueue } from './event-queue.js';
import type { EngineInfo } from './info.js';
import type { WasmInspection } from './inspect.js';
import type { PageStoreOptions } from './page-store.js';
import type { LoadProgress } from './progress.js';
import type {
  Answers,
  Command,
  GenerationEvent,
  HostPort,
  LoadOptions,
  Models,
  Question,
  Report,
  RequestJson,
} from './protocol.js';

/** An answer under way. */
export interface AnswerEvents extends AsyncIterable<GenerationEvent> {
  /** Settled once the engine has taken the request, or refused it. */
  readonly begun: Promise<void>;
  /** End it early, its last event still to come. */
  stop(): void;
}

interface Pending {
  resolve(value: unknown): void;
  reject(error: Error): void;
}

/** Matches reports to what they answer. Knows nothing of OpenAI's shapes. */
export class Connection {
  readonly #port: HostPort;
  readonly #answers = new Map<number, EventQueue<GenerationEvent>>();
  readonly #calls = new Map<number, Pending>();
  #loading: Pending | undefined;
  #info: EngineInfo | undefined;
  #onProgress: (progress: LoadProgress) => void = () => undefined;
  #onClosed: () => void = () => undefined;
  #closed: Error | undefined;
  #lastId = 0;

  constructor(port: HostPort) {
    this.#port = port;
    port.onReport = (report) => this.#take(report);
    port.onCrash = (error) => this.#shutDown(error);
  }

  /** Load the model; only once. If it fails, or the signal aborts it, the host is ended and everything given back. */
  async load(
    models: Models,
    options: LoadOptions,
    assets: Assets,
    onProgress: ((progress: LoadProgress) => void) | undefined,
    signal: AbortSignal | undefined,
    beside: { pageStore?: PageStoreOptions | undefined; threads?: number | undefined } = {},
  ): Promise<EngineInfo> {
    this.#onProgress = onProgress ?? this.#onProgress;
    const transfer = models.model.kind === 'stream' ? [models.model.port] : [];
    const command = { type: 'load', ...models, options, assets, ...beside } as const;
    const failed = 'This engine never loaded its model. Create a new one.';
    return (await this.#first(command, transfer, signal, failed)) as EngineInfo;
  }

  /** Read a model's header in place of loading it. The host is ended. */
  async inspect(
    command: Omit<Extract<Command, { type: 'inspect' }>, 'type'>,
    signal: AbortSignal | undefined,
  ): Promise<WasmInspection> {
    const transfer = command.model.kind === 'stream' ? [command.model.port] : [];
    const ended = 'This was asked of a host that has ended.';
    try {
      return (await this.#first({ type: 'inspect', ...command }, transfer, signal, ended)) as WasmInspection;
    } finally {
      this.#shutDown(new EngineClosedError(ended));
    }
  }

  /** Post the first command, and wait for what it comes to. */
  async #first(command: Command, transfer: Transferable[], signal: AbortSignal | undefined, failed: string) {
    const abort = () => this.#shutDown(new AbortedError('Loading the model was aborted.'));
    try {
      return await new Promise<unknown>((resolve, reject) => {
        this.#loading = { resolve, reject };
        if (signal?.aborted) return abort();
        signal?.addEventListener('abort', abort, { once: true });
        this.#port.post(command, transfer);
      });
    } catch (error) {
      this.#shutDown(new EngineClosedError(failed));
      throw error;
    } finally {
      signal?.removeEventListener('abort', abort);
    }
  }

  /** Start an answer. Leaving its iteration early, or the signal, cancels it. */
  generate(request: RequestJson, signal: AbortSignal | undefined): AnswerEvents {
    this.#throwIfClosed();
    if (signal?.aborted) throw new AbortedError('The request was aborted before it began.');
    const id = this.#nextId();
    const cancel = () => {
      if (this.#answers.delete(id)) this.#port.post({ type: 'cancel', id });
    };
    const events = new EventQueue<GenerationEvent>(() => {
      signal?.removeEventListener('abort', abort);
      cancel();
    });
    const abort = () => {
      cancel();
      const error = new AbortedError('The request was aborted.');
      events.cut(error);
      this.#settle(id, error);
    };
    signal?.addEventListener('abort', abort, { once: true });
    this.#answers.set(id, events);
    const begun = new Promise<void>((resolve, reject) => {
      this.#calls.set(id, { resolve: () => resolve(), reject });
    });
    begun.catch(() => signal?.removeEventListener('abort', abort));
    this.#port.post({ type: 'generate', id, request });
    const stop = () => {
      if (this.#answers.has(id)) this.#port.post({ type: 'cancel', id });
    };
    return { begun, stop, [Symbol.asyncIterator]: () => events[Symbol.asyncIterator]() };
  }

  /** Ask something that has one answer. */
  ask<Q extends Question>(question: Q): Promise<Answers[Q['about']]> {
    return new Promise((resolve, reject) => {
      this.#throwIfClosed();
      const id = this.#nextId();
      this.#calls.set(id, { resolve: resolve as (value: unknown) => void, reject });
      this.#port.post({ type: 'ask', ...question, id });
    });
  }

  /** End everything; resolved once the host has given its memory back. */
  async close(): Promise<void> {
    if (this.#closed !== undefined) return;
    const closed = new Promise<void>((resolve) => {
      this.#onClosed = resolve;
    });
    this.#fail(new EngineClosedError('This engine was closed. Create a new one.'));
    this.#port.post({ type: 'close' });
    await closed;
    this.#port.terminate();
  }

  #take(report: Report): void {
    switch (report.type) {
      case 'progress':
        this.#onProgress(report.progress);
        break;
      case 'loaded':
        this.#info = report.info;
        this.#loading?.resolve(report.info);
        break;
      case 'inspected':
        this.#loading?.resolve(report.inspection);
        break;
      case 'info':
        Object.assign(this.#info ?? {}, report.info);
        break;
      case 'loadFailed':
        this.#loading?.reject(fromWire(report.error));
        break;
      case 'event':
        this.#answers.get(report.id)?.push(report.event);
        break;
      case 'begun':
        this.#settle(report.id);
        break;
      case 'ended':
        this.#endAnswer(report.id);
        break;
      case 'value':
        this.#settle(report.id, undefined, report.value);
        break;
      case 'failed':
        this.#endAnswer(report.id, fromWire(report.error));
        break;
      case 'closed':
        this.#onClosed();
        break;
    }
  }

  #endAnswer(id: number, error?: Error): void {
    this.#answers.get(id)?.end(error);
    this.#answers.delete(id);
    this.#settle(id, error);
  }

  /** What was asked has its answer, or failed. */
  #settle(id: number, error?: Error, value?: unknown): void {
    const call = this.#calls.get(id);
    this.#calls.delete(id);
    if (error === undefined) call?.resolve(value);
    else call?.reject(error);
  }

  #nextId(): number {
    this.#lastId += 1;
    return this.#lastId;
  }

  #throwIfClosed(): void {
    if (this.#closed !== undefined) throw this.#closed;
  }

  /** Everything under way, and everything asked from now on, ends with this error. */
  #fail(error: Error): void {
    this.#closed ??= error;
    this.#loading?.reject(error);
    for (const events of this.#answers.values()) events.end(error);
    for (const call of this.#calls.values()) call.reject(error);
    this.#answers.clear();
    this.#calls.clear();
  }

  #shutDown(error: Error): void {
    if (this.#closed !== undefined) return;
    this.#fail(error);
    this.#onClosed();
    this.#port.terminate();
  }
}
