/** The turns of one chat, and the answer under way. Knows nothing of the page. */

import {
  AbortedError,
  type ChatMessage,
  type Engine,
  InglenookError,
  InternalError,
  type Timings,
  type Usage,
} from 'inglenook';

/** What became of an answer. */
export type Outcome =
  | {
      readonly kind: 'done';
      readonly usage: Usage | undefined;
      readonly timings: Timings | undefined;
      readonly cut: boolean;
    }
  | { readonly kind: 'stopped' }
  | { readonly kind: 'failed'; readonly error: InglenookError };

/** A chat in memory; nothing of it is stored. */
export class Conversation {
  #turns: ChatMessage[] = [];
  #abort: AbortController | undefined;

  /** Whether an answer is under way. */
  get busy(): boolean {
    return this.#abort !== undefined;
  }

  /** End the answer under way, keeping what there is of it. */
  stop(): void {
    this.#abort?.abort();
  }

  /** Forget everything. */
  clear(): void {
    this.stop();
    this.#turns = [];
  }

  /** Take the last answer back, so that its question can be asked again. */
  dropLastAnswer(): void {
    if (this.#turns.at(-1)?.role === 'assistant') this.#turns.pop();
  }

  /** Add a question, in place of one that got no answer. */
  ask(text: string): void {
    if (this.#turns.at(-1)?.role === 'user') this.#turns.pop();
    this.#turns.push({ role: 'user', content: text });
  }

  /** Answer the last question, a piece of about a token at a time. Never throws: what goes wrong is the outcome. */
  async answer(engine: (signal: AbortSignal) => Promise<Engine>, onText: (text: string) => void): Promise<Outcome> {
    const abort = new AbortController();
    this.#abort = abort;
    const turns = this.#turns;
    let text = '';
    try {
      return await stream(await engine(abort.signal), turns, abort.signal, (piece) => {
        text += piece;
        onText(piece);
      });
    } catch (thrown) {
      if (thrown instanceof AbortedError && abort.signal.aborted) return { kind: 'stopped' };
      const error = thrown instanceof InglenookError ? thrown : new InternalError(String(thrown), { cause: thrown });
      return { kind: 'failed', error };
    } finally {
      // What was said so far belongs to the conversation, also if it was stopped.
      if (text !== '') turns.push({ role: 'assistant', content: text });
      if (this.#abort === abort) this.#abort = undefined;
    }
  }
}

async function stream(
  engine: Engine,
  messages: readonly ChatMessage[],
  signal: AbortSignal,
  onText: (text: string) => void,
): Promise<Outcome> {
  let usage: Usage | undefined;
  let timings: Timings | undefined;
  let cut = false;
  const chunks = await engine.chat.completions.create({
    messages: [...messages],
    stream: true,
    stream_options: { include_usage: true },
    signal,
  });
  for await (const chunk of chunks) {
    const [choice] = chunk.choices;
    if (choice?.delta.content) onText(choice.delta.content);
    if (choice?.finish_reason === 'length') cut = true;
    usage = chunk.usage ?? usage;
    timings = chunk.timings ?? timings;
  }
  return { kind: 'done', usage, timings, cut };
}
