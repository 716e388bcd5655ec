// Answers of a given form, through the npm package in a page.
/** A page that has the engine as `window.engine`, ember loaded on a device. */
const load = (/** @type {"cpu" | "gpu"} */ device) => `(async () => {
  const { createEngine } = await import("/npm/dist/index.js");
  window.engine = await createEngine({ model: "ember", device: "${device}" });
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
 * @param {"cpu" | "gpu"} device where ember is computed
 * @returns {Promise<(request: object) => Promise<Answer | Failure>>} gives the answer, or the error
 */
export async function engineIn(page, device) {
  await page.evaluate(load(device));
  return (request) => page.evaluate(`window.create(${JSON.stringify(request)})`);
}
