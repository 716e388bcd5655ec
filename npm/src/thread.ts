/** Workers beside the host's: one for grammars, and others that help to compute. */

/** A running worker, as far as it is used. */
export interface Thread<Command, Report> {
  postMessage(message: Command, transfer?: Transferable[]): void;
  onmessage: ((event: MessageEvent<Report>) => void) | null;
  onerror: ((event: ErrorEvent) => void) | null;
  terminate(): void;
  /** Whether the program waits for it, where a program ends by itself. */
  keepAlive?(is: boolean): void;
}

/** What such a worker is told first: what it is, and the line on which all else comes and goes, if that is not its own. */
export type FirstCommand = (
  | { readonly type: 'grammars'; readonly module: WebAssembly.Module }
  /** With memory that it shares, its orders come there. */
  | { readonly type: 'helper'; readonly module: WebAssembly.Module; readonly memory?: SharedArrayBuffer | undefined }
) & { readonly line?: MessagePort | undefined };

/** From a host to who started it. The host numbers its workers. */
export type ThreadWish =
  | { readonly type: 'startThread'; readonly id: number; readonly first: FirstCommand }
  | { readonly type: 'endThread'; readonly id: number };

/** To a host: the line to a worker, if that started, and the end of one that did. */
export type ThreadNews =
  | { readonly type: 'threadStarted'; readonly id: number; readonly line: MessagePort | undefined }
  | { readonly type: 'threadEnded'; readonly id: number; readonly message: string };

/** The host's side: it wishes for workers, and hears of them. */
export class Threads {
  readonly #wish: (wish: ThreadWish) => void;
  readonly #starting = new Map<number, (line: MessagePort | undefined) => void>();
  readonly #running = new Map<number, Thread<unknown, unknown>>();
  #lastId = 0;

  constructor(wish: (wish: ThreadWish) => void) {
    this.#wish = wish;
  }

  /** A worker that was told this; nothing where none starts, or where the two threads share no modules. */
  async start<Command, Report>(first: FirstCommand): Promise<Thread<Command, Report> | undefined> {
    this.#lastId += 1;
    const id = this.#lastId;
    const started = new Promise<MessagePort | undefined>((resolve) => this.#starting.set(id, resolve));
    try {
      this.#wish({ type: 'startThread', id, first });
    } catch {
      this.#starting.delete(id);
      return undefined;
    }
    const line = await started;
    if (line === undefined) return undefined;
    const terminate = () => this.#wish({ type: 'endThread', id });
    const thread = Object.assign(line, { onerror: null, terminate }) as Thread<Command, Report>;
    this.#running.set(id, thread as Thread<unknown, unknown>);
    return thread;
  }

  hear(news: ThreadNews): void {
    if (news.type === 'threadStarted') {
      this.#starting.get(news.id)?.(news.line);
      this.#starting.delete(news.id);
    } else this.#running.get(news.id)?.onerror?.({ message: news.message } as ErrorEvent);
  }
}
