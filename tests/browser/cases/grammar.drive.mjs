// The grammar module: nothing of it is asked of the server before an answer has a form; a load that fails is a typed error, and the
// next request tries again; then it is there for good. And what it costs a step.
import { fileURLToPath } from "node:url";
import { engineIn } from "../lib/structured.mjs";
import { serve } from "../lib/server.mjs";

export const timeoutSeconds = 300;

const ROOT = fileURLToPath(new URL("../../../", import.meta.url));
const MESSAGES = [{ role: "user", content: "Tell me a story." }];
const CHOICE = { messages: MESSAGES, response_format: { type: "choice", choices: ["north", "south"] } };
/** Tokens whose time is taken. */
const TIMED_TOKENS = 96;

/** @param {import("../lib/harness.mjs").DrivenCheck} t */
export default async function (t) {
  /** @type {string[]} */
  const asked = [];
  let down = false;
  const server = await serve(ROOT, {}, (path) => {
    if (!path.startsWith("/npm/wasm-grammar/")) return true;
    asked.push(path);
    return !down;
  });
  try {
    const create = await engineIn(await t.openPage(`${server.address}/tests/browser/page.html`));
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
  const modules = asked.filter((path) => path.endsWith(".wasm"));
  t.equal(modules.length, 2, "how often the module was asked for, once in vain");
}

/**
 * The same many tokens with a form that leaves nearly everything open, and without one. Not a limit here: a busy machine would break
 * it.
 * @param {import("../lib/harness.mjs").Check} t
 * @param {Awaited<ReturnType<typeof engineIn>>} create
 */
async function times(t, create) {
  const request = { messages: MESSAGES, max_tokens: TIMED_TOKENS, temperature: 1.5, seed: 5 };
  const forms = {
    free: {},
    constrained: { response_format: { type: "regex", regex: "(?s).{1000}" } },
  };
  for (const [name, form] of Object.entries(forms)) {
    /** @type {number[]} */
    const rates = [];
    for (let i = 0; i < 3; i += 1) {
      const answer = await create({ ...request, ...form });
      if (!("usage" in answer)) throw new Error(`${name}: ${JSON.stringify(answer)}`);
      rates.push(((answer.usage.completion_tokens - 1) * 1000) / answer.timings.decode_ms);
    }
    t.note(`${name}, tokens/s`, Number(Math.max(...rates).toFixed(1)));
  }
}
