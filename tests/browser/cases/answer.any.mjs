// ember through the npm package on the GPU, against the CPU twins in the same module: the same greedy words, in steps.
import { answer, fetchEmber, loadEngine } from "../lib/engine.mjs";
import { loadSelftest } from "../lib/selftest.mjs";

export const timeoutSeconds = 300;

const QUESTIONS = ["What is 17 + 25?", "What is the opposite of hot?", "Tell me a story about a cat."];
const TOKENS = 40;

/** @param {import("../lib/harness.mjs").Check} t */
export default async function (t) {
  const twins = await loadEngine(await loadSelftest(t), await fetchEmber(t), { device: "cpu" });
  const entry = t.environment === "node" ? "node.js" : "index.js";
  const { createEngine } = await import(`../../../npm/dist/${entry}`);
  const started = performance.now();
  const engine = await createEngine({ model: "ember", device: "gpu" });
  t.note("adapter", engine.info.adapter.name);
  t.note("load, ms", Math.round(performance.now() - started));
  for (const question of QUESTIONS) {
    const expected = await answer(twins, question, TOKENS);
    const streamed = await stream(engine, question);
    t.note(question, streamed.pieces.join(""));
    t.equal(streamed.pieces.join(""), expected.text, `the answer to "${question}"`);
    t.equal(streamed.usage.completion_tokens, expected.usage.completion_tokens, "its tokens");
    t.ok(streamed.pieces.length >= 2, "it to come in pieces");
  }
  await engine.close();
  twins.close();
}

/**
 * @param {any} engine
 * @param {string} question
 */
async function stream(engine, question) {
  const messages = [{ role: "user", content: question }];
  const request = { messages, stream: true, temperature: 0, max_tokens: TOKENS, stream_options: { include_usage: true } };
  const pieces = [];
  let usage;
  for await (const chunk of await engine.chat.completions.create(request)) {
    const piece = chunk.choices[0]?.delta.content;
    if (piece) pieces.push(piece);
    usage = chunk.usage ?? usage;
  }
  return { pieces, usage };
}
