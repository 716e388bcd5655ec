/** Which model is loaded, and what is being done about it. One model at a time. */

import { AbortedError, createEngine, type Engine, InglenookError, InternalError, type LoadProgress } from 'inglenook';

/** A model that the user can ask for. */
export type ModelChoice =
  | { readonly kind: 'ember' }
  | { readonly kind: 'file'; readonly file: File }
  | { readonly kind: 'url'; readonly url: string };

/** How things stand. */
export type ModelState =
  | { readonly kind: 'loading'; readonly choice: ModelChoice; readonly progress: LoadProgress | undefined }
  | { readonly kind: 'ready'; readonly choice: ModelChoice; readonly engine: Engine }
  | { readonly kind: 'failed'; readonly choice: ModelChoice; readonly error: InglenookError };

/** A short name for what was chosen, before its own name is known. */
export function choiceName(choice: ModelChoice): string {
  if (choice.kind === 'ember') return 'ember';
  if (choice.kind === 'file') return choice.file.name;
  const last = new URL(choice.url).pathname.split('/').at(-1);
  return last ? decodeURIComponentSafely(last) : choice.url;
}

function decodeURIComponentSafely(text: string): string {
  try {
    return decodeURIComponent(text);
  } catch {
    return text;
  }
}

/** Loads models and tells who listens. */
export class ModelSession {
  readonly #onChange: (state: ModelState) => void;
  #state: ModelState | undefined;
  #abort = new AbortController();
  #device: 'auto' | 'cpu' = 'auto';
  #waiting: (() => void)[] = [];

  constructor(onChange: (state: ModelState) => void) {
    this.#onChange = onChange;
  }

  /** Undefined before the first load. */
  get state(): ModelState | undefined {
    return this.#state;
  }

  /** Load this model in place of the last, whose memory is given back first. Failures end up in the state. */
  async load(choice: ModelChoice): Promise<void> {
    this.#abort.abort();
    const abort = new AbortController();
    this.#abort = abort;
    const previous = this.#state;
    this.#set({ kind: 'loading', choice, progress: undefined });
    try {
      if (previous?.kind === 'ready') await previous.engine.close();
      const engine = await createEngine({
        model: toModel(choice),
        device: this.#device,
        signal: abort.signal,
        onProgress: (progress) => {
          if (!abort.signal.aborted) this.#set({ kind: 'loading', choice, progress });
        },
      });
      if (this.#abort === abort) this.#set({ kind: 'ready', choice, engine });
      else await engine.close();
    } catch (thrown) {
      const error = thrown instanceof InglenookError ? thrown : new InternalError(String(thrown), { cause: thrown });
      if (this.#abort === abort) this.#set({ kind: 'failed', choice, error });
    }
  }

  /** From the next load on, do without a GPU. */
  useCpu(): void {
    this.#device = 'cpu';
  }

  /** Stop loading. */
  cancel(): void {
    this.#abort.abort();
  }

  /** The model, once it is loaded; rejected with what prevented it. */
  async ready(signal: AbortSignal): Promise<Engine> {
    for (;;) {
      signal.throwIfAborted();
      if (this.#state?.kind === 'ready') return this.#state.engine;
      if (this.#state?.kind === 'failed') throw this.#state.error;
      await new Promise<void>((resolve) => {
        this.#waiting.push(resolve);
        signal.addEventListener('abort', () => resolve(), { once: true });
      });
      if (signal.aborted) throw new AbortedError('The question was withdrawn.');
    }
  }

  #set(state: ModelState): void {
    this.#state = state;
    this.#onChange(state);
    if (state.kind !== 'loading') for (const wake of this.#waiting.splice(0)) wake();
  }
}

function toModel(choice: ModelChoice): string | File {
  if (choice.kind === 'ember') return 'ember';
  return choice.kind === 'file' ? choice.file : choice.url;
}
