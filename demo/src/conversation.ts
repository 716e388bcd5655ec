/** The turns of one chat, and the answer under way. Knows nothing of the page. */

import {
  AbortedError,
  type ChatCompletionRequest,
  type ChatMessage,
  type Delta,
  type Engine,
  InglenookError,
  InternalError,
  MessageBuilder,
  type RunnableTool,
  type ToolRun,
} from 'inglenook';

/** What happens while an answer is given. A call's `key` is its own in this answer. */
export type AnswerEvent =
  | { readonly kind: 'text' | 'thought'; readonly text: string }
  | { readonly kind: 'call'; readonly key: string; readonly name: string }
  | { readonly kind: 'arguments'; readonly key: string; readonly text: string }
  /** The calls so far are complete, and the tools work. */
  | { readonly kind: 'running' }
  /** The call turned out to be none. */
  | { readonly kind: 'withdrawn'; readonly key: string }
  | { readonly kind: 'result'; readonly key: string; readonly content: string; readonly failed: boolean };

/** How the words of answers are drawn. */
export type Sampling = Pick<ChatCompletionRequest, 'temperature'>;

/** What became of an answer. */
export type Outcome =
  | { readonly kind: 'done'; readonly tokens: number; readonly decodeMs: number; readonly cut: boolean }
  | { readonly kind: 'stopped' }
  | { readonly kind: 'failed'; readonly error: InglenookError };

/** A chat in memory; nothing of it is stored. */
export class Conversation {
  readonly #sampling: Sampling;
  #turns: ChatMessage[] = [];
  #abort: AbortController | undefined;

  /** @param sampling the model's own where it is not given */
  constructor(sampling: Sampling = {}) {
    this.#sampling = sampling;
  }

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

  /** Take the last answer back, with all calls that it made, so that its question can be asked again. */
  dropLastAnswer(): void {
    while (this.#turns.length > 0 && this.#turns.at(-1)?.role !== 'user') this.#turns.pop();
  }

  /** Add a question, in place of one that got no answer. */
  ask(text: string): void {
    if (this.#turns.at(-1)?.role === 'user') this.#turns.pop();
    this.#turns.push({ role: 'user', content: text });
  }

  /** Answer the last question, calling tools on the way. Never throws: what goes wrong is the outcome. */
  async answer(
    engine: (signal: AbortSignal) => Promise<Engine>,
    tools: readonly RunnableTool[],
    onEvent: (event: AnswerEvent) => void,
  ): Promise<Outcome> {
    const abort = new AbortController();
    this.#abort = abort;
    const turns = this.#turns;
    const asked = turns.length;
    let answer: Answer | undefined;
    try {
      const { chat } = await engine(abort.signal);
      const { signal } = abort;
      const request = {
        ...this.#sampling,
        messages: [...turns],
        tools,
        stream_options: { include_usage: true },
        signal,
      };
      answer = new Answer(chat.completions.runTools(request), onEvent);
      return await answer.outcome();
    } catch (thrown) {
      if (thrown instanceof AbortedError && abort.signal.aborted) return { kind: 'stopped' };
      const error = thrown instanceof InglenookError ? thrown : new InternalError(String(thrown), { cause: thrown });
      return { kind: 'failed', error };
    } finally {
      // What was said so far belongs to the conversation, also if it was stopped.
      turns.push(...(answer?.turns().slice(asked) ?? []));
      if (this.#abort === abort) this.#abort = undefined;
    }
  }
}

/** One answer under way, of as many rounds as its calls make. */
class Answer {
  readonly #run: ToolRun;
  readonly #onEvent: (event: AnswerEvent) => void;
  /** What is said in the round under way, until it is a turn of the run's. */
  #saying = new MessageBuilder();
  #round = 0;
  /** Keys of this round's calls, by their indices. */
  #keys = new Map<number, string>();

  constructor(run: ToolRun, onEvent: (event: AnswerEvent) => void) {
    this.#run = run;
    this.#onEvent = onEvent;
  }

  async outcome(): Promise<Outcome> {
    let [tokens, decodeMs, cut] = [0, 0, false];
    for await (const event of this.#run) {
      if (event.type === 'result') {
        const { round, call, content, failed } = event;
        this.#onEvent({ kind: 'result', key: `${round}:${call.id}`, content, failed });
        continue;
      }
      this.#enter(event.round);
      const { choices, usage, timings } = event.chunk;
      this.#take(choices[0]?.delta ?? {});
      if (choices[0]?.finish_reason === 'tool_calls') this.#onEvent({ kind: 'running' });
      cut ||= choices[0]?.finish_reason === 'length';
      tokens += usage?.completion_tokens ?? 0;
      decodeMs += timings?.decode_ms ?? 0;
    }
    return { kind: 'done', tokens, decodeMs, cut };
  }

  /**
   * The conversation with what was said in this answer. Calls that have not all got their results are left out: a model that is
   * shown them would wait for those for ever.
   */
  turns(): readonly ChatMessage[] {
    const turns = [...this.#run.messages];
    const called = turns.findLastIndex(({ role, tool_calls }) => role === 'assistant' && tool_calls !== undefined);
    const wanted = turns[called]?.tool_calls?.length ?? 0;
    if (called >= 0 && turns.slice(called + 1).filter(({ role }) => role === 'tool').length < wanted) {
      const { content } = turns.splice(called)[0] ?? {};
      return content ? [...turns, { role: 'assistant', content }] : turns;
    }
    const { content } = this.#saying.build();
    return turns.at(-1)?.role !== 'assistant' && content ? [...turns, { role: 'assistant', content }] : turns;
  }

  #enter(round: number): void {
    if (round === this.#round) return;
    this.#round = round;
    this.#keys = new Map();
    this.#saying = new MessageBuilder();
  }

  #take(delta: Delta): void {
    this.#saying.add(delta);
    const { content, reasoning_content: thought, tool_calls = [], malformed_tool_call: malformed } = delta;
    if (thought) this.#onEvent({ kind: 'thought', text: thought });
    for (const { index, id, function: called } of tool_calls) {
      if (id !== undefined) this.#keys.set(index, `${this.#round}:${id}`);
      const key = this.#keys.get(index) ?? '';
      if (called.name !== undefined) this.#onEvent({ kind: 'call', key, name: called.name });
      if (called.arguments !== '') this.#onEvent({ kind: 'arguments', key, text: called.arguments });
    }
    const withdrawn = malformed?.index == null ? undefined : this.#keys.get(malformed.index);
    if (withdrawn !== undefined) this.#onEvent({ kind: 'withdrawn', key: withdrawn });
    if (content) this.#onEvent({ kind: 'text', text: content });
  }
}
