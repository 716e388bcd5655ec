// A draft model through the package: it is loaded beside the model, answers are those without one, and closing gives back both.
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
    // Weights are most of what a model takes.
    if (device === "gpu") t.ok(both > 1.5 * alone, `${device}: two models take more than one, not ${both} beside ${alone} bytes`);
  }
}

/**
 * What an engine says to each request, one after the other, and the bytes that it takes on the device.
 * @param {any} engine
 */
async function answers(engine) {
  const texts = [];
  for (const options of REQUESTS) {
    const { choices } = await engine.chat.completions.create({ ...options, messages: MESSAGES, max_tokens: 48 });
    texts.push(choices[0].message.content);
  }
  const { live_bytes } = await engine.counters();
  await engine.close();
  return /** @type {const} */ ([texts, live_bytes]);
}
