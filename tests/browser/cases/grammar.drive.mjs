// The grammar module: nothing of it is asked of the server before an answer has a form; a load that fails is a typed error, and the
// next request tries again; then it is there for good. And what it costs a step.
import { fileURLToPath } from "node:url";
import { engineIn } from "../lib/structured.mjs";
import { serve } from "../lib/server.mjs";

export const timeoutSeconds = 300;

const ROOT = fileURLToPath(new URL("../../../", import.meta.url));
const MESSAGES = [{ role: "user", content: "Tell me a story." }];
const CHOICE = { messages: MESSAGES, response_format: { type: "choice", choices: ["north", "south"] } };
/** How often times are taken: for a glance, and for a median that means something. */
const [FEW_ROUNDS, FULL_ROUNDS] = [3, 21];
/** As long as ember's story: half of its tokens follow from the schema, the others are chosen. */
const PERSON = {
  type: "object",
  properties: { name: { type: "string", maxLength: 8 }, age: { type: "integer", minimum: 0, maximum: 99 } },
  required: ["name", "age"],
  additionalProperties: false,
};
const PEOPLE = { type: "array", minItems: 3, maxItems: 3, items: PERSON };
const THREE_PEOPLE = { type: "json_schema", json_schema: { name: "people", schema: PEOPLE } };
/** Every token is chosen under another mask. */
const DIGITS = { type: "regex", regex: "([0-9]{9} ){5}[0-9]" };

/** @param {import("../lib/harness.mjs").DrivenCheck} t */
export default async function (t) {
  /** @type {string[]} */
  const asked = [];
  let down = false;
  const server = await serve(ROOT, {}, (path) => {
    if (path !== "/npm/dist/inglenook/inglenook-grammar.wasm") return true;
    asked.push(path);
    return !down;
  });
  try {
    const create = await engineIn(await t.openPage(`${server.address}/tests/browser/page.html`), "gpu");
    await loadsWhenNeeded(t, create, asked, (is) => (down = is));
    await times(t, create);
  } finally {
    await server.close();
  }
}

/**
 * @param {import("../lib/harness.mjs").Check} t
 * @param {Awaited<ReturnType<typeof engineIn>>} create
 * @param {string[]} asked paths of the module's files, as they are asked for
 * @param {(is: boolean) => void} setDown
 */
async function loadsWhenNeeded(t, create, asked, setDown) {
  const plain = await create({ messages: MESSAGES, max_tokens: 8 });
  t.equal([plain.code, asked], [undefined, []], "what a free answer asks for");

  setDown(true);
  const failed = await create(CHOICE);
  t.equal(failed.code, "Download", "the code while the module cannot be fetched");
  t.note("error", "message" in failed && failed.message);

  setDown(false);
  for (let i = 0; i < 3; i += 1) {
    const answer = await create({ ...CHOICE, temperature: 1.5 });
    t.ok("text" in answer && ["north", "south"].includes(answer.text), `a choice: ${JSON.stringify(answer)}`);
  }
  t.equal(asked.length, 2, "how often the module was asked for, once in vain");
}

/**
 * What a form costs, against a free answer of the same length: later tokens take longer, since they look back at more. Not a limit
 * here: a busy machine would break it.
 * @param {import("../lib/harness.mjs").Check} t
 * @param {Awaited<ReturnType<typeof engineIn>>} create
 */
async function times(t, create) {
  const rate = async (/** @type {object} */ form) => {
    const answer = await create({ messages: MESSAGES, temperature: 0, ...form });
    if (!("usage" in answer)) throw new Error(JSON.stringify(answer));
    t.ok(answer.usage.completion_tokens > 40, `long enough: ${answer.usage.completion_tokens} tokens`);
    return ((answer.usage.completion_tokens - 1) * 1000) / answer.timings.decode_ms;
  };
  /** @type {Record<string, number[]>} */
  const slower = { "JSON, % slower": [], "digits, % slower": [] };
  const free = [];
  for (let i = 0; i < (t.full ? FULL_ROUNDS : FEW_ROUNDS); i += 1) {
    const plain = await rate({});
    free.push(plain);
    slower["JSON, % slower"]?.push(100 * (1 - (await rate({ response_format: THREE_PEOPLE })) / plain));
    slower["digits, % slower"]?.push(100 * (1 - (await rate({ response_format: DIGITS })) / plain));
  }
  t.note("free, tokens/s", median(free));
  for (const [name, percents] of Object.entries(slower)) t.note(name, median(percents));
}

/** @param {number[]} values */
function median(values) {
  return Number(values.sort((a, b) => a - b)[values.length >> 1]?.toFixed(1));
}
