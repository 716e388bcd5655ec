// The page store: a long chat that is opened again in another engine is not computed again, whatever thread the engine is in, and its
// answer is the same. In browsers it lies in the origin's private file system, in Node in a folder.
import { packageEngine } from "../lib/package.mjs";

export const timeoutSeconds = 300;

const LONG = { messages: [{ role: "user", content: "The fire was low and the dog slept beside it. ".repeat(12) }], temperature: 0, max_tokens: 12 };
/** Tokens of a page. */
const PAGE = 32;

/** @param {import("../lib/harness.mjs").Check} t */
export default async function (t) {
  const createEngine = await packageEngine(t);
  const folder = await emptyFolder(t);
  for (const options of [{ device: "cpu" }, { device: "cpu", kvType: "q8_0" }, { device: "gpu", worker: false }]) {
    const name = JSON.stringify(options);
    const pageStore = { folder: `${folder}-${options.device}` };
    const first = await answer(createEngine, { ...options, pageStore });
    const second = await answer(createEngine, { ...options, pageStore });
    t.equal(first.cached, 0, `${name}: tokens that were there`);
    t.ok(second.cached + PAGE >= second.prompt, `${name}: a prompt that is not computed again, ${JSON.stringify(second)}`);
    t.equal(second.text, first.text, `${name}: the same answer`);
  }
}

/**
 * @param {(options: object) => Promise<any>} createEngine
 * @param {object} options
 */
async function answer(createEngine, options) {
  const engine = await createEngine({ model: "ember", ...options });
  const { choices, usage } = await engine.chat.completions.create(LONG);
  await engine.close();
  const { prompt_tokens: prompt, prompt_tokens_details } = usage;
  return { text: choices[0].message.content, prompt, cached: prompt_tokens_details.cached_tokens };
}

/** @param {import("../lib/harness.mjs").Check} t */
async function emptyFolder(t) {
  if (t.environment !== "node") {
    const root = await navigator.storage.getDirectory();
    for await (const name of root.keys()) await root.removeEntry(name, { recursive: true });
    return "pages";
  }
  const { mkdtemp } = await import("node:fs/promises");
  const { tmpdir } = await import("node:os");
  return mkdtemp(`${tmpdir()}/pages-`);
}
