// Answers of a given form, through the npm package in a page.
/** A page that has the engine as `window.engine`, ember loaded. */
const LOAD = `(async () => {
  const { createEngine } = await import("/npm/dist/index.js");
  window.engine = await createEngine({ model: "ember", device: "gpu" });
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
