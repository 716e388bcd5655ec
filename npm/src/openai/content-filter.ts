/** The caller's own look at an answer, piece by piece, before it is yielded. */

import type { AnswerEvents } from '../connection.js';
import { BadRequestError } from '../errors.js';
import type { GenerationEvent } from '../protocol.js';

/** What text is cut into for the caller to look at: it is held back until a piece is whole. */
export type Segment = 'word' | 'sentence' | 'line';

/**
 * Called with each segment of an answer's content, in order, before it is yielded: `true` lets it pass, a string takes its place,
 * `false` ends the answer before it, with the finish reason `content_filter`. Of several choices each is told apart by its index.
 */
export type ContentFilter = (segment: string, choice: number) => boolean | string | Promise<boolean | string>;

/**
 * The events of an answer of `choices` choices as the caller's filter lets them through. What the filter throws ends the answer and is
 * thrown on.
 */
export async function* filterContent(
  events: AnswerEvents,
  filter: ContentFilter,
  choices = 1,
): AsyncGenerator<GenerationEvent, void, undefined> {
  const ended = new Set<number>();
  let open = choices;
  for await (const event of events) {
    const { choice } = event;
    if (event.type === 'done') {
      // One that was ended is no longer counted.
      if (!ended.has(choice)) open -= 1;
      yield ended.has(choice) ? { ...event, reason: 'content_filter' } : event;
      if (open === 0) events.stop();
    } else if (ended.has(choice)) {
      // What was under way when this choice was ended: the others go on.
    } else if (event.type === 'text' || event.type === 'malformed_call') {
      const verdict: unknown = await filter(event.text, choice);
      if (verdict === false) {
        ended.add(choice);
        open -= 1;
        if (open === 0) events.stop();
      } else if (verdict === true || typeof verdict === 'string') {
        yield verdict === true ? event : { ...event, text: verdict };
      } else {
        throw new BadRequestError(`\`content_filter\` must give true, false or a string, and gave ${String(verdict)}.`);
      }
    } else {
      yield event;
    }
  }
}
