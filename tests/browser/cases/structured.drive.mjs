// ember at a temperature at which it talks nonsense, held to JSON schemas and regular expressions: whatever it says, an independent
// validator accepts. By default a few of those in tests/structured; with --full all of them.
import { engineIn } from "../lib/structured.mjs";
import { readRegexes, readSchemas } from "../lib/structured-corpus.mjs";

export const timeoutSeconds = 3600;

/** Of schemas and of expressions each, in a run that is not full. */
const A_FEW = 16;

/** Characters of a wrong answer that are told. */
const TOLD = 200;

/** @param {import("../lib/harness.mjs").DrivenCheck} t */
export default async function (t) {
  const create = await engineIn(await t.openPage(`${t.address}/tests/browser/page.html`));
  const failures = [...(await check(t, create, "schemas", readSchemas())), ...(await check(t, create, "regexes", readRegexes()))];
  t.ok(failures.length === 0, `every answer to be of its form, but\n${failures.join("\n")}`);
}

/**
 * @param {import("../lib/harness.mjs").Check} t
 * @param {Awaited<ReturnType<typeof engineIn>>} create
 * @param {string} what
 * @param {import("../lib/structured-corpus.mjs").Case[]} all
 * @returns {Promise<string[]>} what was wrong
 */
async function check(t, create, what, all) {
  t.ok(all.length > A_FEW, `more than ${A_FEW} ${what}, not ${all.length}`);
  // Every so many-th, so that the few stand for all.
  const step = t.full ? 1 : Math.floor(all.length / A_FEW);
  const chosen = all.filter((_, i) => i % step === 0);
  const started = performance.now();
  const failures = [];
  let tokens = 0;
  for (const { name, response_format, accepts } of chosen) {
    const messages = [{ role: "user", content: "Tell me something." }];
    const answer = await create({ messages, response_format, temperature: 1.5, seed: 7, max_tokens: 600 });
    if (!("text" in answer)) {
      failures.push(`${name}: ${answer.code}: ${answer.message}`);
      continue;
    }
    tokens += answer.usage.completion_tokens;
    if (answer.finish_reason !== "stop" || !accepts(answer.text)) failures.push(`${name} (${answer.finish_reason}): ${answer.text.slice(0, TOLD)}`);
  }
  const seconds = Math.round((performance.now() - started) / 1000);
  t.note(what, `${chosen.length - failures.length} of ${chosen.length} right, ${tokens} tokens, ${seconds} s`);
  return failures;
}
