/** From the engine's events to OpenAI's chunks and completions. */

import { randomId } from '../compat.js';
import { AbortedError } from '../errors.js';
import type { GenerationEvent } from '../protocol.js';
import { MessageBuilder, toDelta } from './delta.js';
import type { ChatCompletion, ChatCompletionChunk, Delta, FinishReason, Usage } from './types.js';

type Done = Extract<GenerationEvent, { type: 'done' }>;

/** What all chunks of one answer share. */
export interface AnswerHead {
  readonly id: string;
  /** Unix time in seconds. */
  readonly created: number;
  readonly model: string;
}

/** A head for a new answer. */
export function answerHead(model: string): AnswerHead {
  return { id: `chatcmpl-${randomId()}`, created: Math.floor(Date.now() / 1000), model };
}

/** The chunks of an answer: the role first, then what it is made of, then the finish reason, then the usage if asked for. */
export async function* toChunks(
  events: AsyncIterable<GenerationEvent>,
  head: AnswerHead,
  includeUsage: boolean,
): AsyncGenerator<ChatCompletionChunk, void, undefined> {
  const chunk = (delta: Delta, finish_reason: FinishReason | null = null): ChatCompletionChunk => ({
    ...head,
    object: 'chat.completion.chunk',
    choices: [{ index: 0, delta, finish_reason, logprobs: null }],
    ...(includeUsage ? { usage: null } : {}),
  });

  yield chunk({ role: 'assistant', content: '' });
  for await (const event of events) {
    if (event.type !== 'done') {
      yield chunk(toDelta(event));
    } else {
      yield { ...chunk({}, finishReason(event)), timings: event.timings };
      if (includeUsage) yield { ...chunk({}), choices: [], usage: toUsage(event) };
    }
  }
}

/** The whole answer. */
export async function toCompletion(events: AsyncIterable<GenerationEvent>, head: AnswerHead): Promise<ChatCompletion> {
  const message = new MessageBuilder();
  let done: Done | undefined;
  for await (const event of events) {
    if (event.type === 'done') done = event;
    else message.add(toDelta(event));
  }
  if (done === undefined) throw aborted();
  return {
    ...head,
    object: 'chat.completion',
    choices: [{ index: 0, message: message.build(), finish_reason: finishReason(done), logprobs: null }],
    usage: toUsage(done),
    timings: done.timings,
  };
}

function finishReason(done: Done): FinishReason {
  if (done.reason === 'aborted') throw aborted();
  return done.reason;
}

function toUsage({ usage }: Done): Usage {
  return {
    prompt_tokens: usage.prompt_tokens,
    completion_tokens: usage.completion_tokens,
    total_tokens: usage.prompt_tokens + usage.completion_tokens,
    prompt_tokens_details: { cached_tokens: usage.cached_tokens },
  };
}

function aborted(): AbortedError {
  return new AbortedError('The answer was aborted before its end.');
}
