// ember at a temperature at which it talks nonsense, held to JSON schemas, regular expressions and grammars: whatever it says, an
// independent judge accepts. By default a few of those in tests/structured, most of them on the CPU, which is the fastest adapter here;
// with --full all of them on both.
import { judge } from "../lib/judge.mjs";
import { engineIn } from "../lib/structured.mjs";
import { readGrammars, readRegexes, readSchemas } from "../lib/structured-corpus.mjs";

export const timeoutSeconds = 3600;

/** Of schemas, of expressions and of grammars each, in a run that is not full. */
const A_FEW = /** @type {const} */ ({ cpu: 16, gpu: 3 });

/** Characters of a wrong answer that are told. */
const TOLD = 200;

/** @param {import("../lib/harness.mjs").DrivenCheck} t */
export default async function (t) {
  const corpora = Object.entries({ schemas: readSchemas(), regexes: readRegexes(), grammars: readGrammars() });
  const failures = [];
  for (const device of /** @type {const} */ (["cpu", "gpu"])) {
    const create = await engineIn(await t.openPage(`${t.address}/tests/browser/page.html`), device);
    for (const [what, cases] of corpora) {
      failures.push(...(await check(t, create, `${device}: ${what}`, t.full ? cases : aFew(cases, A_FEW[device]))));
    }
  }
  t.ok(failures.length === 0, `every answer to be of its form, but\n${failures.join("\n")}`);
}

/**
 * About so many, which stand for all.
 * @param {import("../lib/structured-corpus.mjs").Case[]} all
 * @param {number} count
 */
function aFew(all, count) {
  const step = Math.max(1, Math.floor(all.length / count));
  return all.filter((_, i) => i % step === 0);
}

/**
 * @param {import("../lib/harness.mjs").Check} t
 * @param {Awaited<ReturnType<typeof engineIn>>} create
 * @param {string} what
 * @param {import("../lib/structured-corpus.mjs").Case[]} chosen
 * @returns {Promise<string[]>} what was wrong
 */
async function check(t, create, what, chosen) {
  const started = performance.now();
  const failures = [];
  const outputs = [];
  let tokens = 0;
  for (const { name, response_format, form } of chosen) {
    const messages = [{ role: "user", content: "Tell me something." }];
    const answer = await create({ messages, response_format, temperature: 1.5, seed: 7, max_tokens: 600 });
    if (!("text" in answer)) {
      failures.push(`${name}: ${answer.code}: ${answer.message}`);
      continue;
    }
    tokens += answer.usage.completion_tokens;
    // An answer that is too long is led to its end, and says so; the text is of its form either way.
    if (["stop", "length"].includes(answer.finish_reason)) outputs.push({ name, form, text: answer.text });
    else failures.push(`${name} (${answer.finish_reason}): ${answer.text.slice(0, TOLD)}`);
  }
  const verdicts = await judge(outputs);
  failures.push(...outputs.filter((_, i) => !verdicts[i]).map(({ name, text }) => `${name}: ${text.slice(0, TOLD)}`));
  const right = chosen.length - failures.length;
  const seconds = Math.round((performance.now() - started) / 1000);
  t.note(what, `${right} of ${chosen.length} right, ${tokens} tokens, ${seconds} s`);
  return failures;
}
