// `node node-llama-cpp.mjs --packages DIR --model FILE [--threads N] [--prompt-tokens N] [--tokens N]`: one turn of llama.cpp's CPU
// backend, in the program that node-llama-cpp brings for this machine. The last line is its figures as JSON.
import { readFileSync } from "node:fs";
import { join } from "node:path";
import { pathToFileURL } from "node:url";
import { measure } from "./measure.mjs";
import { readOptions } from "./options.mjs";

const { packages, ...options } = readOptions();
const folder = join(packages, "node-llama-cpp");

/**
 * @param {import("./measure.mjs").Options} options
 * @returns {Promise<import("./measure.mjs").Runner>}
 */
async function load({ model: modelPath, threads }) {
  const { getLlama, LlamaLogLevel } = await import(pathToFileURL(join(folder, "dist/index.js")).href);
  const llama = await getLlama({ gpu: false, build: "never", maxThreads: threads, logLevel: LlamaLogLevel.error });
  const model = await llama.loadModel({ modelPath });
  const context = await model.createContext({ contextSize: 1024, threads });
  const sequence = context.getSequence();
  const { version } = JSON.parse(readFileSync(join(folder, "package.json"), "utf8"));

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
  return { version: `node-llama-cpp ${version} (llama.cpp ${llama.llamaCppRelease.release})`, ask };
}

console.log(JSON.stringify(await measure(load, options)));
// Its threads would keep the process.
process.exit();
