// Eight answers at once: each says what it says alone, whatever the others are; and how many more tokens a second they are together.
// The figures are noted, not judged: a busy machine would break a limit.
import { ask, packageEngine } from "../lib/package.mjs";

export const timeoutSeconds = 600;

const QUESTIONS = [
  "What is 17 + 25?",
  "What is the opposite of hot?",
  "Tell me a story about a fox.",
  "Tell me a story about a cat.",
  'Spell "lamp" backwards.',
  "What is the opposite of big?",
  "What is 8 + 9?",
  "Tell me a story about a boat.",
];
const GREEDY = { temperature: 0, max_tokens: 40 };
/** Half of the answers at once are drawn, and each in its own way. */
const OPTIONS = QUESTIONS.map((_, i) => (i % 2 === 0 ? GREEDY : { temperature: 0.6 + 0.1 * i, top_k: 20 + i, seed: i, max_tokens: 40 }));
/** Long enough that the time of prompts does not count. */
const LENGTH = 64;
/** How often times are taken in a full run; the best counts. */
const ROUNDS = 3;

/** @param {import("../lib/harness.mjs").Check} t */
export default async function (t) {
  const createEngine = await packageEngine(t);
  for (const device of ["cpu", "gpu"]) {
    const engine = await createEngine({ model: "ember", device });
    t.note(`${device}: adapter`, engine.info.adapter.name);
    await sameAnswers(t, engine, device);
    await throughput(t, engine, device);
    await engine.close();
  }
}

/**
 * @param {import("../lib/harness.mjs").Check} t
 * @param {any} engine
 * @param {string} device
 */
async function sameAnswers(t, engine, device) {
  const alone = [];
  for (const [i, question] of QUESTIONS.entries()) alone.push(await ask(engine, question, OPTIONS[i]));
  const together = await Promise.all(QUESTIONS.map((question, i) => ask(engine, question, OPTIONS[i])));
  for (const [i, question] of QUESTIONS.entries()) t.equal(together[i], alone[i], `${device}: the answer to "${question}" among eight`);
}

/**
 * @param {import("../lib/harness.mjs").Check} t
 * @param {any} engine
 * @param {string} device
 */
async function throughput(t, engine, device) {
  const options = { temperature: 1, max_tokens: LENGTH, ignore_eos: true };
  const rate = async (/** @type {number} */ streams) => {
    const started = performance.now();
    const answers = await Promise.all(QUESTIONS.slice(0, streams).map((question, seed) => ask(engine, question, { ...options, seed })));
    const tokens = answers.reduce((sum, answer) => sum + answer.tokens, 0);
    t.equal(tokens, streams * LENGTH, `${device}: tokens of ${streams} answers`);
    return (tokens * 1000) / (performance.now() - started);
  };
  // Taken in turn, so that what else the machine does falls on both.
  let [one, eight] = [0, 0];
  for (let i = 0; i < (t.full ? ROUNDS : 1); i += 1) [one, eight] = [Math.max(one, await rate(1)), Math.max(eight, await rate(8))];
  t.note(`${device}: tokens/s of one and of eight`, [one, eight].map(Math.round).join(" and "));
  t.note(`${device}: ratio`, (eight / one).toFixed(2));
}
