// Grammars are compiled and masks made beside the other answers: what another stream says arrives while a schema compiles that takes a
// second, and is what it says alone; and a structured answer, in a batch with others, creates no GPU object once all is there.
import { ask, packageEngine } from "../lib/package.mjs";

export const timeoutSeconds = 600;

const QUESTION = "Tell me a story about a fox.";
const LONG = { temperature: 0, max_tokens: 400, ignore_eos: true };
/** Fewest pieces of the other stream that arrive while the schema compiles; several times as many do on a slow machine. */
const FEWEST = 8;

/** Four thousand patterns, each another: about a second of compiling, and different each time, since what was compiled is kept. */
const slowSchema = (/** @type {string} */ salt) => {
  const pattern = (/** @type {string} */ name) => ({ type: "string", pattern: `^[a-z]{1,20}(-[0-9]{2,5}){1,5}${salt}${name}$` });
  const object = (/** @type {number} */ count, /** @type {(name: string) => object} */ member) => {
    const names = Array.from({ length: count }, (_, i) => `p${i}`);
    const properties = Object.fromEntries(names.map((name) => [name, member(name)]));
    return { type: "object", properties, required: names, additionalProperties: false };
  };
  return object(4, (outer) => object(1000, (inner) => pattern(outer + inner)));
};
const form = (/** @type {object} */ schema) => ({
  response_format: { type: "json_schema", json_schema: { name: "form", schema } },
});
const DIGITS = { response_format: { type: "regex", regex: "([0-9]{9} ){20}" } };
const TEXT = { response_format: { type: "regex", regex: "[^}]{300,600}" } };

/** @param {import("../lib/harness.mjs").Check} t */
export default async function (t) {
  const createEngine = await packageEngine(t);
  for (const device of ["cpu", "gpu"]) {
    const engine = await createEngine({ model: "ember", device });
    t.equal(engine.info.grammars, "worker", `${device}: where grammars are compiled`);
    await goesOn(t, engine, device);
    await stays(t, engine, device);
    await createsNothing(t, engine, device);
    await engine.close();
  }
  const inline = await createEngine({ model: "ember", device: "cpu", worker: false });
  t.equal(inline.info.grammars, "inline", "where grammars are compiled without workers");
  t.equal((await ask(inline, QUESTION, { ...DIGITS, max_tokens: 10 })).tokens, 10, "tokens of an inline answer");
  await inline.close();
}

/**
 * @param {import("../lib/harness.mjs").Check} t
 * @param {any} engine
 * @param {string} device
 */
async function goesOn(t, engine, device) {
  const alone = await ask(engine, QUESTION, LONG);
  // The module is there, and the plan of two rows.
  await Promise.all([ask(engine, QUESTION, { ...DIGITS, max_tokens: 8 }), ask(engine, QUESTION, { max_tokens: 8 })]);
  const stream = await engine.chat.completions.create({
    messages: [{ role: "user", content: QUESTION }],
    stream: true,
    ...LONG,
  });
  let [text, pieces] = ["", 0];
  /** @type {Promise<number> | undefined} */
  let passed;
  for await (const chunk of stream) {
    text += chunk.choices[0]?.delta.content ?? "";
    pieces += 1;
    passed ??= (async () => {
      const before = pieces;
      const structured = await engine.chat.completions.create({
        messages: [{ role: "user", content: QUESTION }],
        stream: true,
        max_tokens: 8,
        temperature: 0,
        ...form(slowSchema(device)),
      });
      let count = -1;
      for await (const { choices } of structured) {
        if (choices[0]?.delta.content && count < 0) count = pieces - before;
      }
      return count;
    })();
  }
  t.equal(text, alone.text, `${device}: the stream beside the schema`);
  const count = await passed;
  t.ok(Number(count) >= FEWEST, `${device}: pieces while the schema compiled: ${count}`);
  t.note(`${device}: pieces while the schema compiled`, count);
}

/**
 * What goes wrong with one grammar is its own answer's.
 * @param {import("../lib/harness.mjs").Check} t
 * @param {any} engine
 * @param {string} device
 */
async function stays(t, engine, device) {
  const options = { temperature: 0, max_tokens: 40 };
  const alone = await ask(engine, QUESTION, options);
  const controller = new AbortController();
  const [wrong, withdrawn, other] = await Promise.all([
    ask(engine, QUESTION, { response_format: { type: "regex", regex: "(" } }).catch((error) => error),
    ask(engine, QUESTION, { ...form(slowSchema("never")), signal: controller.signal }).catch((error) => error),
    ask(engine, QUESTION, options).finally(() => controller.abort()),
  ]);
  t.equal([wrong.code, withdrawn.code], ["BadRequest", "Aborted"], `${device}: a regex that is none, an answer withdrawn`);
  t.equal(other, alone, `${device}: the answer beside them`);
  t.equal((await ask(engine, QUESTION, { ...DIGITS, max_tokens: 10 })).tokens, 10, `${device}: tokens behind them`);
}

/**
 * @param {import("../lib/harness.mjs").Check} t
 * @param {any} engine
 * @param {string} device
 */
async function createsNothing(t, engine, device) {
  const long = { max_tokens: 100, ignore_eos: true, temperature: 1, seed: 1 };
  const all = () => Promise.all([DIGITS, TEXT, {}].map((more) => ask(engine, QUESTION, { ...long, ...more })));
  // Plans for as many rows are built, and as many reads are under way as ever will be.
  for (let round = 0; round < 2; round += 1) await all();
  await ask(engine, QUESTION, { ...long, ...DIGITS });
  const before = await engine.counters();
  const answers = await all();
  await ask(engine, QUESTION, { ...long, ...DIGITS });
  const after = await engine.counters();
  t.equal(answers.map(({ tokens }) => tokens), [100, 100, 100], `${device}: tokens`);
  const made = ["buffers", "kernels", "bind_groups"].reduce((sum, kind) => sum + after[kind] - before[kind], 0);
  t.equal(made, 0, `${device}: GPU objects made by long structured answers`);
}
