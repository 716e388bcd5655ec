// inglenook's npm package on the CPU, as built in npm/.

/**
 * @param {import("../measure.mjs").Options} options
 * @returns {Promise<import("../measure.mjs").Runner>}
 */
export async function load({ model, threads }) {
  const { createEngine } = await import(`${"/npm"}/dist/index.js`);
  // Of random weights' answers, which repeat themselves, drafts would foresee too much.
  const engine = await createEngine({ model, device: "cpu", contextLength: 1024, speculation: false, threads });
  const ask = async (/** @type {string} */ prompt, /** @type {number} */ tokens) => {
    const request = { prompt, max_tokens: tokens, temperature: 0, ignore_eos: true };
    const { usage, timings } = await engine.chat.completions.create(request);
    return {
      promptTokens: usage.prompt_tokens,
      cachedTokens: usage.prompt_tokens_details?.cached_tokens ?? 0,
      prefillMs: timings.prefill_ms,
      tokens: usage.completion_tokens,
      decodeMs: timings.decode_ms,
    };
  };
  return { version: "inglenook", ask };
}
