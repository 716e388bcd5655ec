/** The caller's own look at an answer, piece by piece, before it is yielded. */

import type { AnswerEvents } from '../connection.js';
import { BadRequestError } from '../errors.js';
import type { GenerationEvent } from '../protocol.js';

/** What text is cut into for the caller to look at: it is held back until a piece is whole. */
export type Segment = 'word' | 'sentence' | 'line';

/**
 * Called with each segment of an answer's content, in order, before it is yielded: `true` lets it pass, a string takes its place,
 * `false` ends the answer before it, with the finish reason `content_filter`.
 */
export type ContentFilter = (segment: string) => boolean | string | Promise<boolean | string>;

/** The events as the caller's filter lets them through. What the filter throws ends the answer and is thrown on. */
export async function* filterContent(
  events: AnswerEvents,
  filter: ContentFilter,
): AsyncGenerator<GenerationEvent, void, undefined> {
  let ended = false;
  for await (const event of events) {
    if (event.type === 'done') {
      yield ended ? { ...event, reason: 'content_filter' } : event;
    } else if (ended) {
      // What was under way when the answer was ended.
    } else if (event.type === 'text' || event.type === 'malformed_call') {
      const verdict: unknown = await filter(event.text);
      if (verdict === false) {
        ended = true;
        events.stop();
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
