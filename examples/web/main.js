// A chat completion that is streamed, and several of them at once.
import { createEngine, InglenookError } from 'inglenook';

const $ = (id) => document.getElementById(id);
const buttons = document.querySelectorAll('button[name=ask]');
let controller = new AbortController();

const engine = await createEngine({
  model: 'ember',
  onProgress: ({ loadedBytes, totalBytes }) => {
    $('status').textContent = `Loading: ${Math.round((100 * loadedBytes) / totalBytes)} %`;
  },
});
$('status').textContent = `${engine.info.model.name} on ${engine.info.adapter.name}`;
setBusy(false);

$('stop').addEventListener('click', () => controller.abort());
$('form').addEventListener('submit', async (event) => {
  event.preventDefault();
  const items = Array.from({ length: Number(event.submitter?.value ?? 1) }, () => document.createElement('li'));
  $('answers').replaceChildren(...items);
  controller = new AbortController();
  setBusy(true);
  // The engine computes them together, which takes less time than one after the other.
  await Promise.all(items.map((item, seed) => answer(item, $('question').value, seed)));
  setBusy(false);
});

/** Streams one answer into an element. */
async function answer(element, question, seed) {
  try {
    const stream = await engine.chat.completions.create({
      messages: [{ role: 'user', content: question }],
      temperature: 0.8,
      seed,
      stream: true,
      signal: controller.signal,
    });
    for await (const { choices } of stream) element.append(choices[0].delta.content ?? '');
  } catch (error) {
    if (!(error instanceof InglenookError)) throw error;
    // `Aborted` is the stop button; every other message says what to do.
    element.append(error.code === 'Aborted' ? ' (stopped)' : error.message);
  }
}

function setBusy(busy) {
  for (const button of buttons) button.disabled = busy;
  $('stop').disabled = !busy;
}
