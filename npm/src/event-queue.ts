/** Events pushed at one end, awaited at the other. */

/** A single-use queue of events that ends once. `onFinish` is called when the listener has had the last, or left. */
export class EventQueue<T> implements AsyncIterable<T> {
  readonly #onFinish: () => void;
  readonly #waiting: T[] = [];
  #ended: { readonly error?: Error } | undefined;
  #wake: () => void = () => undefined;

  constructor(onFinish: () => void) {
    this.#onFinish = onFinish;
  }

  push(event: T): void {
    this.#waiting.push(event);
    this.#wake();
  }

  /** End with this error at once: what waits is dropped. */
  cut(error: Error): void {
    this.#waiting.length = 0;
    this.end(error);
  }

  /** No further events; with an error, the listener gets it after the events that came before. */
  end(error?: Error): void {
    this.#ended ??= error === undefined ? {} : { error };
    this.#wake();
  }

  async *[Symbol.asyncIterator](): AsyncGenerator<T, void, undefined> {
    try {
      for (;;) {
        const event = this.#waiting.shift();
        if (event !== undefined) {
          yield event;
        } else if (this.#ended !== undefined) {
          if (this.#ended.error !== undefined) throw this.#ended.error;
          return;
        } else {
          await new Promise<void>((resolve) => {
            this.#wake = resolve;
          });
        }
      }
    } finally {
      this.#onFinish();
    }
  }
}
