// The CPU's threads: answers do not depend on how many there are, whatever number was asked for, nor on one that is lost while it is at
// work; and `info` says what there is, and why no more. In pages threads share no memory: see threads-isolated.drive.mjs.
import { ask, packageEngine } from "../lib/package.mjs";

export const timeoutSeconds = 300;

/** Long enough that its matmuls are worth sharing, by messages too. */
const QUESTION = `${"the fire was low and the old dog slept beside it ".repeat(12)} What is 17 + 25?`;
const OPTIONS = { temperature: 0, max_tokens: 24, logprobs: true, top_logprobs: 3 };

/** @param {import("../lib/harness.mjs").Check} t */
export default async function (t) {
  const createEngine = await packageEngine(t);
  const exchange = t.environment === "node" || crossOriginIsolated ? "memory" : "messages";
  const alone = await answer(createEngine, { threads: 1 });
  t.equal(alone.info, { count: 1, exchange: "none" }, "one thread");
  const cores = t.environment === "node" ? (await import("node:os")).availableParallelism() : navigator.hardwareConcurrency;
  const most = { count: cores, exchange: cores === 1 ? "none" : exchange };
  for (const [threads, expected] of /** @type {const} */ ([
    [0, { count: 1, exchange: "none", note: "one thread is the least" }],
    [1000, { ...most, note: `this machine has ${cores} core${cores === 1 ? "" : "s"}` }],
    [cores, most],
  ])) {
    const together = await answer(createEngine, { threads });
    t.equal(together.info, expected, `${threads} threads`);
    t.equal(together.choice, alone.choice, `the answer of ${threads} threads`);
  }
  const own = await answer(createEngine, { threads: 2, worker: false });
  t.equal(own.info, { count: 1, exchange: "none", note: "no worker can be started here" }, "threads without workers");
  const plain = await answer(createEngine, {});
  t.equal(plain.info.count, exchange === "memory" ? Math.min(cores, 4) : 1, "threads by default");
  t.equal(plain.choice, alone.choice, "the answer of the default");
  if (cores > 1 && t.environment !== "node") await losesOne(t, createEngine, alone.choice);
}

/**
 * A worker that ends without a word, as a system short of memory ends it.
 * @param {import("../lib/harness.mjs").Check} t
 * @param {(options: object) => Promise<any>} createEngine
 * @param {unknown} expected
 */
async function losesOne(t, createEngine, expected) {
  /** @type {Worker[]} */
  const started = [];
  const Given = globalThis.Worker;
  globalThis.Worker = class extends Given {
    constructor(/** @type {[string | URL, WorkerOptions?]} */ ...given) {
      super(...given);
      started.push(this);
    }
  };
  const engine = await createEngine({ model: "ember", device: "cpu", threads: 2, speculation: false });
  globalThis.Worker = Given;
  t.equal(engine.info.threads.count, 2, "threads before one is lost");
  started.at(-1)?.terminate();
  // Chromium gives a worker that is busy two seconds more.
  await new Promise((resolve) => setTimeout(resolve, 2500));
  t.equal(await choice(engine), expected, "the answer after a worker was lost");
  t.equal([engine.info.threads.count, engine.info.threads.exchange], [1, "none"], "threads after one was lost");
  t.ok(/lost/.test(engine.info.threads.note), `the note to say it: ${engine.info.threads.note}`);
  t.ok((await ask(engine, "What is 17 + 25?", { temperature: 0 })).text.includes("42"), "a further answer to be right");
  await engine.close();
}

/**
 * @param {(options: object) => Promise<any>} createEngine
 * @param {object} options
 */
async function answer(createEngine, options) {
  const engine = await createEngine({ model: "ember", device: "cpu", speculation: false, ...options });
  const { threads: info } = engine.info;
  const given = await choice(engine);
  await engine.close();
  return { info, choice: given };
}

/**
 * Text and probabilities.
 * @param {any} engine
 */
async function choice(engine) {
  const { choices } = await engine.chat.completions.create({ messages: [{ role: "user", content: QUESTION }], ...OPTIONS });
  return choices[0];
}
