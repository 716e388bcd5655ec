// `node node-llama-cpp.mjs --packages DIR --model FILE [--threads N] [--prompt-tokens N] [--tokens N]`: one turn of llama.cpp's CPU
// backend. The last line is its figures as JSON.
import { loadModel } from "./llama-cpp.mjs";
import { measure } from "./measure.mjs";
import { readOptions } from "./options.mjs";

const { packages, ...options } = readOptions();

/**
 * @param {import("./measure.mjs").Options} options
 * @returns {Promise<import("./measure.mjs").Runner>}
 */
async function load({ model: file, threads }) {
  const { model, version } = await loadModel({ packages, model: file, threads });
  const context = await model.createContext({ contextSize: 1024, threads });
  const sequence = context.getSequence();

  const ask = async (/** @type {string} */ prompt, /** @type {number} */ wanted) => {
    await sequence.clearHistory();
    const tokens = model.tokenize(prompt);
    if (model.tokens.shouldPrependBosToken) tokens.unshift(model.tokens.bos);
    const times = [performance.now()];
    for await (const _ of sequence.evaluate(tokens, { temperature: 0, yieldEogToken: true })) {
      times.push(performance.now());
      if (times.length > wanted) break;
    }
    const [started = 0, first = 0] = times;
    return {
      promptTokens: tokens.length,
      cachedTokens: 0,
      prefillMs: first - started,
      tokens: times.length - 1,
      decodeMs: (times.at(-1) ?? 0) - first,
    };
  };
  return { version, ask };
}

console.log(JSON.stringify(await measure(load, options)));
// Its threads would keep the process.
process.exit();
