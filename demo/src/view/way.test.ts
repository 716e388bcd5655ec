import { AbortedError, type ChatCompletionChunk, type ChatCompletionRequest, type Engine, ToolRun } from 'inglenook';
import { expect, test } from 'vitest';
import { WayColumn } from './way.js';

/** An engine that says one word after the other until it is aborted, or to the end, and notes what it was asked. */
function engineOf(words: readonly string[], msPerWord: number) {
  const asked: ChatCompletionRequest[] = [];
  async function* chunks({ signal }: ChatCompletionRequest): AsyncGenerator<ChatCompletionChunk> {
    for (const content of words) {
      await new Promise((resolve) => setTimeout(resolve, msPerWord));
      if (signal?.aborted) throw new AbortedError('aborted');
      const choices = [{ index: 0, delta: { content }, finish_reason: null, logprobs: null }];
      yield { id: 'a', object: 'chat.completion.chunk', created: 0, model: 'm', choices, usage: null };
    }
  }
  const create = async (request: ChatCompletionRequest) => {
    asked.push(request);
    return chunks(request);
  };
  const runTools = (request: ConstructorParameters<typeof ToolRun>[1]) => new ToolRun(create, request);
  return { engine: { chat: { completions: { create, runTools } } } as unknown as Engine, asked };
}

const find = (column: WayColumn, testId: string) =>
  column.element.querySelector<HTMLButtonElement>(`[data-testid=${testId}]`);
const until = async (holds: () => boolean) => {
  while (!holds()) await new Promise((resolve) => setTimeout(resolve, 5));
};

test('a way asks with its own sampling, and can be asked again', async () => {
  const { engine, asked } = engineOf(['cold', '.'], 1);
  const way = { name: 'Steady', hint: '', sampling: { temperature: 0 } };
  const column = new WayColumn(
    way,
    async () => engine,
    () => undefined,
  );
  column.ask('The opposite of hot?');
  expect(column.busy).toBe(true);
  await until(() => !column.busy);
  expect(find(column, 'answer')?.textContent).toBe('cold.');
  find(column, 'regenerate')?.click();
  await until(() => !column.busy);
  column.ask('Another?');
  await until(() => !column.busy);
  expect(asked.map(({ temperature, messages }) => [temperature, messages.map(({ content }) => content)])).toEqual([
    [0, ['The opposite of hot?']],
    [0, ['The opposite of hot?']],
    [0, ['Another?']],
  ]);
});

test('stopping one way keeps what it said and leaves the others', async () => {
  const { engine } = engineOf(Array(12).fill('word '), 10);
  const [stopped, other] = ['Free', 'Daring'].map(
    (name) =>
      new WayColumn(
        { name, hint: '', sampling: {} },
        async () => engine,
        () => undefined,
      ),
  ) as [WayColumn, WayColumn];
  stopped.ask('Go on.');
  other.ask('Go on.');
  await until(() => find(stopped, 'answer') !== null);
  find(stopped, 'way-stop')?.click();
  await until(() => !stopped.busy);
  expect(find(stopped, 'answer-note')?.textContent).toBe('stopped');
  expect(find(stopped, 'way-stop')?.hidden).toBe(true);
  expect(other.busy).toBe(true);
  await until(() => !other.busy);
  expect(find(other, 'answer')?.textContent?.match(/word/g)).toHaveLength(12);
});
