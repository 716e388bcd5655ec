// Answers of a given form, through the npm package in a page.
import { readdirSync, readFileSync } from "node:fs";

/** A page that has the engine as `window.engine`, ember loaded. */
const LOAD = `(async () => {
  const { createEngine } = await import("/npm/dist/index.js");
  window.engine = await createEngine({ model: "ember" });
  window.create = (request) => window.engine.chat.completions.create(request).then(
    ({ choices: [{ message, finish_reason }], usage, timings }) => ({ text: message.content, finish_reason, usage, timings }),
    ({ code, message }) => ({ code, message }),
  );
})()`;

/**
 * @typedef {{ text: string, finish_reason: string, usage: { completion_tokens: number }, timings: { decode_ms: number }, code?: undefined }} Answer
 * @typedef {{ code: string, message: string }} Failure
 */

/**
 * @param {import("./browsers.mjs").Page} page one that the repository's root is served to
 * @returns {Promise<(request: object) => Promise<Answer | Failure>>} gives the answer, or the error
 */
export async function engineIn(page) {
  await page.evaluate(LOAD);
  return (request) => page.evaluate(`window.create(${JSON.stringify(request)})`);
}

/**
 * The JSON files of a folder, by their names.
 * @param {URL} folder ends with a slash
 * @returns {[string, any][]}
 */
export function readCorpus(folder) {
  const names = readdirSync(folder).filter((name) => name.endsWith(".json")).sort();
  return names.map((name) => [name, JSON.parse(readFileSync(new URL(name, folder), "utf8"))]);
}

/**
 * Every so many-th of a list, so that a few stand for all.
 * @template T
 * @param {T[]} all
 * @param {number} count
 */
export function spread(all, count) {
  const step = Math.max(1, all.length / count);
  return all.filter((_, i) => Math.floor(i / step) !== Math.floor((i - 1) / step));
}
