// A draft model through the package: it is loaded beside the model, and answers are those without one.
import { packageEngine } from "../lib/package.mjs";

export const timeoutSeconds = 300;

const MESSAGES = [
  { role: "user", content: "What is the opposite of hot?" },
  { role: "assistant", content: "The opposite of hot is cold." },
  { role: "user", content: "Tell me a story about a fox." },
];
const REQUESTS = [{ temperature: 0 }, { temperature: 0.8, seed: 7 }, { temperature: 0, frequency_penalty: 0.5 }];

/** @param {import("../lib/harness.mjs").Check} t */
export default async function (t) {
  const createEngine = await packageEngine(t);
  for (const device of ["cpu", "gpu"]) {
    const options = { model: "ember", device };
    const [expected, alone] = await answers(await createEngine({ ...options, speculation: false }));
    const [said, both] = await answers(await createEngine({ ...options, draft: `${t.address}/models/ember/ember-q8_0.gguf` }));
    t.equal(said, expected, `${device}: answers with a draft model`);
    t.equal(both, 2 * alone, `${device}: bytes of weights`);
  }
}

/**
 * What an engine says to each request, one after the other, and the bytes of its weights.
 * @param {any} engine
 */
async function answers(engine) {
  const texts = [];
  for (const options of REQUESTS) {
    const { choices } = await engine.chat.completions.create({ ...options, messages: MESSAGES, max_tokens: 48 });
    texts.push(choices[0].message.content);
  }
  const { weights } = engine.info.memory;
  await engine.close();
  return /** @type {const} */ ([texts, weights]);
}
