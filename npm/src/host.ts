/** The side that owns the engine: it takes commands, drives the WebAssembly module, and reports. */

import { EngineClosedError, InternalError, toWire } from './errors.js';
import type { EngineInfo } from './info.js';
import { progressMeter } from './progress.js';
import type { Command, GenerationEvent, ModelSpec, Report } from './protocol.js';
import { readAhead } from './source/read-ahead.js';
import type { ByteSource, PieceSource } from './source/source.js';
import type { WasmEngine, WasmGeneration, WasmModule } from './wasm.js';

/** What differs between a browser's worker and Node. */
export interface Platform {
  loadModule(): Promise<WasmModule>;
  openModel(model: ModelSpec, signal: AbortSignal): Promise<ByteSource>;
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

class Host {
  readonly #platform: Platform;
  readonly #report: (report: Report) => void;
  readonly #loading = new AbortController();
  readonly #running = new Map<number, WasmGeneration>();
  #engine: WasmEngine | undefined;

  constructor(platform: Platform, report: (report: Report) => void) {
    this.#platform = platform;
    this.#report = report;
  }

  take(command: Command): void {
    switch (command.type) {
      case 'load':
        void this.#load(command);
        break;
      case 'generate':
        void this.#generate(command);
        break;
      case 'cancel':
        this.#running.get(command.id)?.cancel();
        break;
      case 'countTokens':
        this.#answer(command.id, (engine) => engine.count_tokens(command.text));
        break;
      case 'counters':
        this.#answer(command.id, (engine) => JSON.parse(engine.counters()));
        break;
      case 'close':
        this.#close();
        break;
    }
  }

  async #load({ model, options }: Extract<Command, { type: 'load' }>): Promise<void> {
    const { signal } = this.#loading;
    let source: WatchedSource | undefined;
    try {
      // Both wait for the network, so both at once.
      const opening = this.#platform.openModel(model, signal);
      opening.catch(() => undefined);
      const module = await this.#platform.loadModule();
      source = watched(readAhead(await opening));
      const meter = progressMeter((progress) => this.#report({ type: 'progress', progress }));
      const engine = await module.WasmEngine.load(source, JSON.stringify(options), meter, signal);
      // Closed while it loaded: nobody will ever ask for it.
      if (signal.aborted) return engine.close();
      this.#engine = engine;
      this.#report({ type: 'loaded', info: JSON.parse(engine.info()) as EngineInfo });
    } catch (error) {
      // Where a read failed, that is the cause, whatever the reader made of it.
      this.#report({ type: 'loadFailed', error: toWire(source?.failure ?? error) });
    } finally {
      source?.close();
    }
  }

  async #generate({ id, request }: Extract<Command, { type: 'generate' }>): Promise<void> {
    try {
      const generation = this.#loaded().generate(JSON.stringify(request));
      this.#running.set(id, generation);
      for (let json = await generation.next(); json !== undefined; json = await generation.next()) {
        this.#report({ type: 'event', id, event: JSON.parse(json) as GenerationEvent });
      }
      this.#report({ type: 'ended', id });
    } catch (error) {
      this.#report({ type: 'failed', id, error: toWire(error) });
    } finally {
      this.#running.delete(id);
    }
  }

  #answer(id: number, ask: (engine: WasmEngine) => unknown): void {
    try {
      this.#report({ type: 'value', id, value: ask(this.#loaded()) });
    } catch (error) {
      this.#report({ type: 'failed', id, error: toWire(error) });
    }
  }

  #loaded(): WasmEngine {
    if (this.#loading.signal.aborted) throw new EngineClosedError('This engine was closed. Create a new one.');
    if (this.#engine === undefined) throw new InternalError('A command came before the model was loaded.');
    return this.#engine;
  }

  #close(): void {
    this.#loading.abort();
    for (const generation of this.#running.values()) generation.cancel();
    const engine = this.#engine;
    this.#engine = undefined;
    try {
      engine?.close();
    } finally {
      this.#report({ type: 'closed' });
    }
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
