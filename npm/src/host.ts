/** The side that owns the engine: it takes commands, drives the WebAssembly module, and reports. */

import type { Assets } from './assets.js';
import { multipliesBytes } from './byte-products.js';
import { deploymentCause } from './deployment.js';
import { BadRequestError, EngineClosedError, InternalError, toWire, type WireError } from './errors.js';
import { Grammars } from './grammars.js';
import type { EngineInfo } from './info.js';
import type { WasmInspection } from './inspect.js';
import type { PageStore, PageStoreOptions } from './page-store.js';
import { progressMeter } from './progress.js';
import type { Answers, Command, ModelSpec, NamedAdapter, Question, RankedDocuments, Report } from './protocol.js';
import { type ModelFiles, onlyFile } from './source/files.js';
import { pieces } from './source/pieces.js';
import { readAhead } from './source/read-ahead.js';
import type { ByteSource, PieceSource } from './source/source.js';
import { virtualAdapter, virtualModel } from './source/virtual.js';
import type { FirstCommand, Thread } from './thread.js';
import { type StartedCpu, startCpu } from './threads.js';
import type { ConvertModule, CpuModule, GrammarModule, WasmEngine, WasmModule, WasmReport } from './wasm.js';

/** What differs between a browser's worker and Node. */
export interface Platform {
  /** @param url of the `.wasm` file */
  loadModule(url: string): Promise<WasmModule>;
  /** Called only once a request needs it. @param url of the `.wasm` file */
  loadGrammarModule(url: string): Promise<GrammarModule>;
  /** A further module, compiled. @param url of the `.wasm` file */
  compile(url: string): Promise<WebAssembly.Module>;
  /** A file of the package, read as text. @param url of the file */
  readText(url: string): Promise<string>;
  /** A further worker, which is told `first`; nothing where none starts. Not there where the host has to do without. */
  startThread?<Command, Report>(assets: Assets, first: FirstCommand): Promise<Thread<Command, Report> | undefined>;
  /** Whether threads can share memory. */
  readonly shared: boolean;
  /** Cores of this machine, as far as it tells. */
  readonly cores: number;
  /** Called only for a model of several files. @param url of the `.wasm` file */
  loadConvertModule(url: string): Promise<ConvertModule>;
  /** The files of a model that is not one file; nothing of one that is. */
  openFiles(model: ModelSpec, signal: AbortSignal, exact: boolean): Promise<ModelFiles | undefined>;
  /** A model of one file. @param exact ask servers for no more than is read */
  openModel(model: ModelSpec, signal: AbortSignal, exact: boolean): Promise<ByteSource>;
  openPageStore(options: PageStoreOptions): Promise<PageStore>;
}

/**
 * A host that waits for its first command.
 *
 * @returns where to hand the commands, one at a time and in order
 */
export function createHost(platform: Platform, report: (report: Report) => void): (command: Command) => void {
  const host = new Host(platform, report);
  return (command) => host.take(command);
}

type LoadCommand = Extract<Command, { type: 'load' }>;

class Host {
  readonly #platform: Platform;
  readonly #report: (report: Report) => void;
  readonly #loading = new AbortController();
  readonly #running = new Map<number, Running>();
  /** The caller's number of each answer, by the module's. */
  readonly #answers = new Map<number, number>();
  #driving = false;
  #grammars: Grammars | undefined;
  #engine: WasmEngine | undefined;
  #cpu: StartedCpu | undefined;
  /** What it was told to load: the folder of an adapter needs the header of the model. */
  #command: LoadCommand | undefined;

  constructor(platform: Platform, report: (report: Report) => void) {
    this.#platform = platform;
    this.#report = report;
  }

  take(command: Command): void {
    switch (command.type) {
      case 'load':
        void this.#load(command);
        break;
      case 'inspect':
        void this.#inspect(command);
        break;
      case 'generate':
        void this.#generate(command);
        break;
      case 'cancel':
        this.#cancel(command.id);
        break;
      case 'ask':
        void this.#answer(command);
        break;
      case 'close':
        void this.#close();
        break;
    }
  }

  async #load(command: LoadCommand): Promise<void> {
    const { model, draft, adapters = [], quantize, options, assets, pageStore } = command;
    const { signal } = this.#loading;
    this.#command = command;
    const sources: WatchedSource[] = [];
    let ended = false;
    let shadersFailure: unknown;
    try {
      // All wait for the network, so all at once.
      const opening = [model, ...(draft === undefined ? [] : [draft])].map(async (spec) => {
        const source = watched(readAhead(await this.#open(spec, assets, spec === model ? quantize : undefined)));
        if (ended) source.close();
        sources.push(source);
        return source;
      });
      const opened = Promise.all(opening);
      opened.catch(() => undefined);
      const module = await this.#platform.loadModule(assets.wasm);
      const [source, drafting] = (await opened) as [WatchedSource, WatchedSource?];
      const store = pageStore && (await this.#platform.openPageStore(pageStore));
      const meter = progressMeter((progress) => this.#report({ type: 'progress', progress }));
      const loadCpu = () => this.#loadCpu(command);
      const fetchShaders = () =>
        this.#platform.readText(assets.shaders).catch((error: unknown) => {
          shadersFailure = error;
          throw error;
        });
      const settings = JSON.stringify(options);
      const callbacks = [loadCpu, fetchShaders] as const;
      const engine = await module.WasmEngine.load(source, settings, meter, signal, drafting, store, ...callbacks);
      try {
        for (const adapter of adapters) await this.#loadAdapter(engine, adapter);
      } catch (error) {
        engine.close();
        throw error;
      }
      // Closed while it loaded: nobody will ever ask for it.
      if (signal.aborted) return engine.close();
      this.#engine = engine;
      const { startThread } = this.#platform;
      this.#grammars = new Grammars({
        loadModule: () => this.#platform.loadGrammarModule(assets.grammarWasm),
        startWorker: startThread && (async () => startThread(assets, await this.#grammarsFirst(assets))),
      });
      this.#grammars.onInline = () => this.#report({ type: 'info', info: { grammars: 'inline' } });
      const grammars = startThread === undefined ? 'inline' : 'worker';
      const threads = this.#cpu?.threads;
      const info = { ...JSON.parse(engine.info()), grammars, ...(threads && { threads }) } as EngineInfo;
      this.#report({ type: 'loaded', info });
    } catch (error) {
      // Where a read failed, that is the cause, whatever the reader made of it.
      const failure = sources.find((source) => source.failure !== undefined)?.failure ?? shadersFailure;
      const cause = await deploymentCause(failure ?? error, model.kind === 'ember' ? model.url : undefined);
      this.#report({ type: 'loadFailed', error: toWire(cause) });
    } finally {
      ended = true;
      if (this.#engine === undefined) this.#cpu?.end();
      for (const source of sources) source.close();
    }
  }

  async #loadAdapter(engine: WasmEngine, { name, adapter }: NamedAdapter): Promise<undefined> {
    const source = watched(readAhead(await this.#openAdapter(adapter)));
    try {
      await engine.load_adapter(name, source);
    } catch (error) {
      throw source.failure ?? error;
    } finally {
      source.close();
    }
  }

  async #inspect(command: Extract<Command, { type: 'inspect' }>): Promise<void> {
    const { model, quantize, options, assets, bandwidth } = command;
    const { signal } = this.#loading;
    let source: WatchedSource | undefined;
    try {
      const loading = this.#platform.loadModule(assets.wasm);
      loading.catch(() => undefined);
      source = watched(pieces(await this.#open(model, assets, quantize, true)));
      const { WasmEngine } = await loading;
      const loadCpu = () => this.#loadCpu(command);
      const told = await WasmEngine.inspect(source, JSON.stringify(options), signal, bandwidth, loadCpu);
      this.#report({ type: 'inspected', inspection: JSON.parse(told) as WasmInspection });
    } catch (error) {
      const cause = await deploymentCause(source?.failure ?? error, model.kind === 'ember' ? model.url : undefined);
      this.#report({ type: 'loadFailed', error: toWire(cause) });
    } finally {
      this.#cpu?.end();
      source?.close();
    }
  }

  /** The bytes of a model, be it one file or several. */
  async #open(model: ModelSpec, { convertWasm }: Assets, quantize?: string, exact = false): Promise<ByteSource> {
    const { signal } = this.#loading;
    let files = await this.#platform.openFiles(model, signal, exact);
    if (files === undefined) {
      const source = await this.#platform.openModel(model, signal, exact);
      if (quantize === undefined) return source;
      files = onlyFile(source);
    }
    return virtualModel(await this.#platform.loadConvertModule(convertWasm), files, quantize);
  }

  /** The bytes of an adapter: a GGUF file, or what the folder of one becomes for the model. */
  async #openAdapter(adapter: ModelSpec): Promise<ByteSource> {
    const { signal } = this.#loading;
    const files = await this.#platform.openFiles(adapter, signal, false);
    if (files === undefined) return this.#platform.openModel(adapter, signal, false);
    const { model, assets } = this.#command as LoadCommand;
    if (model.kind === 'stream') {
      throw new BadRequestError(
        'The folder of an adapter needs the header of the model, which a stream gives once alone. Pass a URL or a Blob as the model, or the adapter as a GGUF file.',
      );
    }
    const [module, base] = await Promise.all([
      this.#platform.loadConvertModule(assets.convertWasm),
      this.#open(model, assets, undefined, true),
    ]);
    try {
      return await virtualAdapter(module, files, base);
    } finally {
      base.close?.();
    }
  }

  async #loadCpu({ assets, threads }: Extract<Command, { type: 'load' | 'inspect' }>): Promise<CpuModule> {
    const { startThread, shared, cores } = this.#platform;
    const start = startThread && (<C, R>(first: FirstCommand) => startThread<C, R>(assets, first));
    const module = await this.#compileCpu(assets);
    this.#cpu = await startCpu(module, { start, shared, cores }, threads, (threads) => {
      this.#report({ type: 'info', info: { threads } });
    });
    if (this.#loading.signal.aborted) this.#cpu.end();
    return this.#cpu.module;
  }

  /** The module for this processor, or the plain one where a deployment lacks it. */
  async #compileCpu({ cpuWasm, cpuRelaxedWasm }: Assets): Promise<WebAssembly.Module> {
    const { compile } = this.#platform;
    if (!multipliesBytes()) return compile(cpuWasm);
    return compile(cpuRelaxedWasm).catch(() => compile(cpuWasm));
  }

  async #grammarsFirst({ grammarWasm }: Assets): Promise<FirstCommand> {
    return { type: 'grammars', module: await this.#platform.compile(grammarWasm) };
  }

  async #generate({ id, request }: Extract<Command, { type: 'generate' }>): Promise<void> {
    const running: Running = { cancelled: false };
    this.#running.set(id, running);
    try {
      if (this.#loaded().needs_grammar(request)) await this.#grammars?.provide(this.#loaded());
      // Cancelled while the grammars were loading: nobody waits for it any more.
      if (running.cancelled) {
        this.#end(id);
        return;
      }
      const answer = this.#loaded().submit(request);
      running.answer = answer;
      this.#answers.set(answer, id);
      this.#report({ type: 'begun', id });
    } catch (error) {
      this.#end(id, toWire(error));
      return;
    }
    void this.#drive();
  }

  /** Passes on the events of all answers while there are any. */
  async #drive(): Promise<void> {
    if (this.#driving) return;
    this.#driving = true;
    try {
      while (this.#answers.size > 0) {
        for (const report of JSON.parse(await this.#loaded().events()) as WasmReport[]) this.#pass(report);
      }
    } catch (error) {
      for (const id of this.#answers.values()) this.#end(id, toWire(error));
      this.#answers.clear();
    } finally {
      this.#driving = false;
    }
    // Nobody waits now, and the page may be closed without a word.
    await this.#engine?.store_pages().catch(() => undefined);
  }

  #pass({ id: answer, event, failed }: WasmReport): void {
    const id = this.#answers.get(answer);
    if (id === undefined) return;
    if (event !== undefined) {
      this.#report({ type: 'event', id, event });
      return;
    }
    this.#answers.delete(answer);
    this.#end(id, failed === undefined ? undefined : toWire(failed));
  }

  #end(id: number, error?: WireError): void {
    this.#running.delete(id);
    this.#report(error === undefined ? { type: 'ended', id } : { type: 'failed', id, error });
  }

  async #answer({ id, ...question }: Extract<Command, { type: 'ask' }>): Promise<void> {
    try {
      const engine = this.#loaded();
      const asked = question.about === 'newAdapter' ? this.#loadAdapter(engine, question) : answer(engine, question);
      this.#report({ type: 'value', id, value: await asked });
    } catch (error) {
      this.#report({ type: 'failed', id, error: toWire(error) });
    }
  }

  #cancel(id: number): void {
    const running = this.#running.get(id);
    if (running === undefined) return;
    running.cancelled = true;
    if (running.answer !== undefined) this.#engine?.cancel(running.answer);
  }

  #loaded(): WasmEngine {
    if (this.#loading.signal.aborted) throw new EngineClosedError('This engine was closed. Create a new one.');
    if (this.#engine === undefined) throw new InternalError('A command came before the model was loaded.');
    return this.#engine;
  }

  async #close(): Promise<void> {
    this.#loading.abort();
    for (const id of this.#running.keys()) this.#cancel(id);
    const engine = this.#engine;
    this.#engine = undefined;
    try {
      await engine?.store_pages().catch(() => undefined);
      engine?.close();
      this.#cpu?.end();
      this.#grammars?.close();
    } finally {
      this.#report({ type: 'closed' });
    }
  }
}

/** An answer that was asked for; it has a number of the module's once all is there that it needs. */
interface Running {
  answer?: number;
  cancelled: boolean;
}

type Answer = Answers[keyof Answers];

function answer(engine: WasmEngine, question: Exclude<Question, { about: 'newAdapter' }>): Answer | Promise<Answer> {
  switch (question.about) {
    case 'tokens':
      return engine.tokenize(question.text, question.special);
    case 'offsets':
      return engine.tokenize_with_offsets(question.text, question.special);
    case 'tokenCount':
      return engine.count_tokens(question.text);
    case 'text':
      return engine.detokenize(question.tokens);
    case 'prompt':
      return engine.render(question.request);
    case 'embeddings':
      return engine.embed(question.request);
    case 'ranking':
      return engine.rank(question.request).then((json) => JSON.parse(json) as RankedDocuments);
    case 'oldAdapter':
      engine.unload_adapter(question.name);
      return undefined;
    case 'counters':
      return JSON.parse(engine.counters());
  }
}

/** A source that remembers why it failed: the error may lose its class on its way through WebAssembly. */
type WatchedSource = PieceSource & { readonly failure: unknown; close(): void };

function watched(source: PieceSource & { close(): void }): WatchedSource {
  let failure: unknown;
  return {
    get failure() {
      return failure;
    },
    size: source.size,
    read: (offset, length) =>
      source.read(offset, length).catch((error: unknown) => {
        failure ??= error;
        throw error;
      }),
    close: () => source.close(),
  };
}
