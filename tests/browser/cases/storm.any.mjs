// A storm of cancels: requests that are withdrawn at random moments, in all ways that the package has. Every promise settles, what is
// not withdrawn is answered as before, and nothing stays behind.
import { ask, packageEngine } from "../lib/package.mjs";

export const timeoutSeconds = 900;

const QUESTION = "Tell me a story about a fox.";
const GREEDY = { temperature: 0, max_tokens: 40 };
/** More than run at once, so that some are withdrawn before they began; fewer than may wait. */
const AT_ONCE = 50;
/** Of each so many requests, one is not withdrawn. */
const KEPT = 10;
/** Buffers for reads are used again, so there are as many as were ever read into at once: a few more in some moments, whatever the storm's length. */
const MORE_READS = 4;
const LONGEST_WAIT_MS = 400;

/** @param {import("../lib/harness.mjs").Check} t */
export default async function (t) {
  const createEngine = await packageEngine(t);
  for (const [device, requests] of /** @type {const} */ ([["cpu", t.full ? 1000 : 200], ["gpu", t.full ? 1000 : 50]])) {
    const engine = await createEngine({ model: "ember", device });
    const expected = await ask(engine, QUESTION, GREEDY);
    const random = randomFrom(7);
    // Plans of all sizes are made when they are first needed.
    await storm(t, engine, AT_ONCE, random, expected);
    t.equal(await ask(engine, QUESTION, GREEDY), expected, `${device}: the answer before the storm`);
    const before = await engine.counters();

    const ends = await storm(t, engine, requests, random, expected);
    t.equal(await ask(engine, QUESTION, GREEDY), expected, `${device}: the answer after the storm`);
    const after = await engine.counters();
    t.equal(after.live_bytes, before.live_bytes, `${device}: bytes alive`);
    const made = after.buffers - before.buffers;
    t.ok(made <= MORE_READS, `${device}: at most ${MORE_READS} buffers made in the storm, not ${made}`);
    t.note(`${device}: buffers made in the storm`, made);
    t.note(`${device}: ends`, ends);
    await engine.close();
  }
}

/**
 * @param {import("../lib/harness.mjs").Check} t
 * @param {any} engine
 * @param {number} requests
 * @param {() => number} random
 * @param {object} expected what a request says that is not withdrawn
 * @returns {Promise<Record<string, number>>} how many ended in which way
 */
async function storm(t, engine, requests, random, expected) {
  /** @type {Record<string, number>} */
  const ends = {};
  for (let done = 0; done < requests; done += AT_ONCE) {
    const wave = Array.from({ length: Math.min(AT_ONCE, requests - done) }, async (_, i) => {
      if (i % KEPT === 0) {
        t.equal(await ask(engine, QUESTION, GREEDY), expected, "an answer in the midst of the storm");
        return "kept";
      }
      return withdrawn(engine, i, LONGEST_WAIT_MS * random() ** 2);
    });
    for (const end of await Promise.all(wave)) ends[end] = (ends[end] ?? 0) + 1;
  }
  const odd = Object.keys(ends).filter((end) => !["kept", "answered", "left", "Aborted"].includes(end));
  t.equal(odd, [], "ends that are none");
  return ends;
}

/**
 * A request that is withdrawn after a while, unless it has been answered by then.
 * @param {any} engine
 * @param {number} way of withdrawing it
 * @param {number} milliseconds
 * @returns {Promise<string>} how it ended: "answered", "left" or the error's code
 */
async function withdrawn(engine, way, milliseconds) {
  const controller = new AbortController();
  const request = { messages: [{ role: "user", content: QUESTION }], seed: way, max_tokens: 40, signal: controller.signal };
  const later = new Promise((resolve) => setTimeout(resolve, milliseconds));
  try {
    if (way % 3 === 0) {
      later.then(() => controller.abort());
      await engine.chat.completions.create(request);
      return "answered";
    }
    const stream = await engine.chat.completions.create({ ...request, stream: true });
    let over = false;
    later.then(() => {
      over = true;
      if (way % 3 === 1) stream.abort();
    });
    for await (const _ of stream) if (over && way % 3 === 2) return "left";
    return "answered";
  } catch (error) {
    return /** @type {any} */ (error).code ?? String(error);
  }
}

/**
 * The same numbers in each run (mulberry32).
 * @param {number} seed
 */
function randomFrom(seed) {
  let state = seed;
  return () => {
    state = (state + 0x6d2b79f5) | 0;
    let mixed = Math.imul(state ^ (state >>> 15), 1 | state);
    mixed = (mixed + Math.imul(mixed ^ (mixed >>> 7), 61 | mixed)) ^ mixed;
    return ((mixed ^ (mixed >>> 14)) >>> 0) / 2 ** 32;
  };
}
