/** From the engine's events to OpenAI's chunks and completions. */

import { randomId } from '../compat.js';
import { AbortedError } from '../errors.js';
import type { GenerationEvent } from '../protocol.js';
import { MessageBuilder, toDelta } from './delta.js';
import type {
  ChatCompletion,
  ChatCompletionChunk,
  Choice,
  Delta,
  FinishReason,
  Logprobs,
  TokenLogprob,
  Usage,
} from './types.js';

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

/**
 * The chunks of an answer of `choices` choices: the role of each first, then what it is made of, then its finish reason; at the end the
 * usage, if asked for.
 */
export async function* toChunks(
  events: AsyncIterable<GenerationEvent>,
  head: AnswerHead,
  includeUsage: boolean,
  choices = 1,
): AsyncGenerator<ChatCompletionChunk, void, undefined> {
  const logprobs = new Map<number, TokenLogprob[]>();
  const chunk = (index: number, delta: Delta, finish_reason: FinishReason | null = null): ChatCompletionChunk => {
    const told = logprobs.get(index);
    logprobs.delete(index);
    return {
      ...head,
      object: 'chat.completion.chunk',
      choices: [{ index, delta, finish_reason, logprobs: toLogprobs(told) }],
      ...(includeUsage ? { usage: null } : {}),
    };
  };

  for (let index = 0; index < choices; index++) yield chunk(index, { role: 'assistant', content: '' });
  const ended: Done[] = [];
  for await (const event of events) {
    if (event.type === 'logprobs') {
      logprobs.set(event.choice, [...(logprobs.get(event.choice) ?? []), ...event.tokens]);
    } else if (event.type === 'prompt_logprobs') {
      yield { ...chunk(event.choice, {}), prompt_logprobs: event.tokens };
    } else if (event.type === 'truncated') {
      const { messages, tokens } = event;
      yield { ...chunk(event.choice, {}), truncated: { messages, tokens } };
    } else if (event.type !== 'done') {
      yield chunk(event.choice, toDelta(event));
    } else {
      ended.push(event);
      yield { ...chunk(event.choice, {}, finishReason(event)), timings: event.timings };
    }
  }
  if (includeUsage && ended.length > 0) yield { ...chunk(0, {}), choices: [], usage: toUsage(ended) };
}

/** The whole answer. */
export async function toCompletion(events: AsyncIterable<GenerationEvent>, head: AnswerHead): Promise<ChatCompletion> {
  const growing = new Map<number, { message: MessageBuilder; logprobs?: TokenLogprob[] }>();
  const ended: Done[] = [];
  const scores: TokenLogprob[] = [];
  for await (const event of events) {
    const choice = growing.get(event.choice) ?? { message: new MessageBuilder() };
    growing.set(event.choice, choice);
    if (event.type === 'done') ended.push(event);
    else if (event.type === 'logprobs') choice.logprobs = [...(choice.logprobs ?? []), ...event.tokens];
    else if (event.type === 'prompt_logprobs') scores.push(...event.tokens);
    else if (event.type !== 'truncated') choice.message.add(toDelta(event));
  }
  const choices = ended
    .sort((a, b) => a.choice - b.choice)
    .map((done): Choice => {
      const choice = growing.get(done.choice);
      const message = (choice?.message ?? new MessageBuilder()).build();
      return {
        index: done.choice,
        message,
        finish_reason: finishReason(done),
        logprobs: toLogprobs(choice?.logprobs),
      };
    });
  const [first, ...others] = choices;
  const [{ timings } = { timings: undefined }] = ended;
  if (first === undefined || timings === undefined) throw aborted();
  const prompt_logprobs = scores.length > 0 ? { prompt_logprobs: scores } : {};
  const usage = toUsage(ended);
  return { ...head, object: 'chat.completion', choices: [first, ...others], ...prompt_logprobs, usage, timings };
}

function toLogprobs(content: readonly TokenLogprob[] | undefined): Logprobs | null {
  return content === undefined ? null : { content, refusal: null };
}

function finishReason(done: Done): FinishReason {
  if (done.reason === 'aborted') throw aborted();
  return done.reason;
}

/** The prompt counts once, whatever the number of choices. */
function toUsage(ended: readonly Done[]): Usage {
  const sum = (count: (usage: Done['usage']) => number) => ended.reduce((all, { usage }) => all + count(usage), 0);
  const prompt_tokens = ended[0]?.usage.prompt_tokens ?? 0;
  const completion_tokens = sum((usage) => usage.completion_tokens);
  const truncated_tokens = sum((usage) => usage.truncated_tokens);
  const drafted = sum((usage) => usage.drafted_tokens);
  const accepted_prediction_tokens = sum((usage) => usage.accepted_tokens);
  const rejected_prediction_tokens = drafted - accepted_prediction_tokens;
  return {
    prompt_tokens,
    completion_tokens,
    total_tokens: prompt_tokens + completion_tokens,
    prompt_tokens_details: { cached_tokens: ended[0]?.usage.cached_tokens ?? 0 },
    ...(drafted > 0 ? { completion_tokens_details: { accepted_prediction_tokens, rejected_prediction_tokens } } : {}),
    ...(truncated_tokens > 0 ? { truncated_tokens } : {}),
  };
}

function aborted(): AbortedError {
  return new AbortedError('The answer was aborted before its end.');
}
