/** From the engine's events to what they add to an answer, and from those back to the whole message. */

import type { AnswerEvent } from '../protocol.js';
import type { ToolCall } from './tools.js';
import type { AssistantMessage, Delta, MalformedToolCall } from './types.js';

/** What an event adds. */
export function toDelta(
  event: Exclude<AnswerEvent, { type: 'done' | 'logprobs' | 'prompt_logprobs' | 'truncated' }>,
): Delta {
  switch (event.type) {
    case 'text':
      return { content: event.text };
    case 'reasoning':
      return { reasoning_content: event.text };
    case 'tool_call': {
      const { index, id, name } = event;
      return { tool_calls: [{ index, id, type: 'function', function: { name, arguments: '' } }] };
    }
    case 'tool_arguments':
      return { tool_calls: [{ index: event.index, function: { arguments: event.text } }] };
    case 'malformed_call': {
      const { index, text } = event;
      return { content: text, malformed_tool_call: { index, text } };
    }
  }
}

/** A call on its way. */
interface GrowingCall {
  id: string;
  name: string;
  arguments: string;
}

/**
 * Puts the deltas of one streamed answer together again: `message.add(chunk.choices[0].delta)` for each chunk, then
 * `message.build()`, which can be put into the next request's `messages`. Calls that turned out malformed are left out.
 */
export class MessageBuilder {
  #content = '';
  #reasoning = '';
  readonly #calls = new Map<number, GrowingCall>();
  readonly #malformed: MalformedToolCall[] = [];

  /** Take what a chunk adds. */
  add({ content, reasoning_content, tool_calls, malformed_tool_call }: Delta): void {
    this.#content += content ?? '';
    this.#reasoning += reasoning_content ?? '';
    for (const { index, id, function: called } of tool_calls ?? []) {
      const call = this.#calls.get(index) ?? { id: '', name: '', arguments: '' };
      call.id += id ?? '';
      call.name += called.name ?? '';
      call.arguments += called.arguments;
      this.#calls.set(index, call);
    }
    if (malformed_tool_call !== undefined) {
      this.#malformed.push(malformed_tool_call);
      if (malformed_tool_call.index !== null) this.#calls.delete(malformed_tool_call.index);
    }
  }

  /** The message so far. */
  build(): AssistantMessage {
    const inOrder = [...this.#calls].sort(([a], [b]) => a - b);
    const calls = inOrder.map(
      ([, { id, name, arguments: given }]): ToolCall => ({
        id,
        type: 'function',
        function: { name, arguments: given },
      }),
    );
    return {
      role: 'assistant',
      content: this.#content === '' && calls.length > 0 ? null : this.#content,
      refusal: null,
      ...(this.#reasoning === '' ? {} : { reasoning_content: this.#reasoning }),
      ...(calls.length === 0 ? {} : { tool_calls: calls }),
      ...(this.#malformed.length === 0 ? {} : { malformed_tool_calls: [...this.#malformed] }),
    };
  }
}
