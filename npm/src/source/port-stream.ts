/**
 * A stream that the page holds and the worker reads, chunk by chunk over a message port.
 *
 * Transferring the stream itself would do the same, but not in every browser that has WebGPU.
 */

import { BadFileError } from '../errors.js';

type Answer = { readonly chunk: unknown } | { readonly end: true } | { readonly error: string };

/** Page side: hand out one chunk each time the other end asks, until the stream ends or `done` is aborted. */
export function servePort(stream: ReadableStream<unknown>, done: AbortSignal): MessagePort {
  const { port1, port2 } = new MessageChannel();
  const reader = stream.getReader();
  port1.onmessage = async () => {
    const answer: Answer = await reader.read().then(
      ({ done, value }) => (done ? { end: true as const } : { chunk: value }),
      (error: unknown) => ({ error: String(error) }),
    );
    port1.postMessage(answer);
  };
  done.addEventListener('abort', () => {
    port1.close();
    // A stream that failed already rejects this; whoever read it knows.
    reader.cancel().catch(() => undefined);
  });
  return port2;
}

/** Worker side: a stream of the chunks that come through the port. */
export function portStream(port: MessagePort): ReadableStream<unknown> {
  return new ReadableStream<unknown>(
    {
      async pull(controller) {
        const answer = await ask(port);
        if ('chunk' in answer) controller.enqueue(answer.chunk);
        else if ('end' in answer) controller.close();
        else controller.error(new BadFileError(`The model stream broke off (${answer.error}). Start it again.`));
      },
      cancel() {
        port.close();
      },
    },
    { highWaterMark: 0 },
  );
}

function ask(port: MessagePort): Promise<Answer> {
  return new Promise((resolve) => {
    port.onmessage = ({ data }: MessageEvent<Answer>) => resolve(data);
    port.postMessage('pull');
  });
}
