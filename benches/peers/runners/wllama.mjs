// wllama: llama.cpp's server as WebAssembly, on the CPU.

const FOLDER = "/packages/@wllama/wllama/esm";

/**
 * @param {import("../measure.mjs").Options} options
 * @returns {Promise<import("../measure.mjs").Runner>}
 */
export async function load({ model, threads }) {
  const { LoggerWithoutDebug, Wllama } = await import(`${FOLDER}/index.js`);
  const quiet = { logger: LoggerWithoutDebug, suppressNativeLog: true };
  const wllama = new Wllama({ default: `${FOLDER}/wasm/wllama.wasm` }, quiet);
  const file = await (await fetch(model)).blob();
  await wllama.loadModel([file], { n_gpu_layers: 0, n_ctx: 1024, n_threads: threads, n_parallel: 1 });
  if (wllama.getNumThreads() !== threads) throw new Error(`wllama runs ${wllama.getNumThreads()} threads, not ${threads}`);
  const ask = async (/** @type {string} */ prompt, /** @type {number} */ tokens) => {
    const request = { prompt, max_tokens: tokens, temperature: 0, ignore_eos: true, cache_prompt: false };
    const { usage, timings } = await wllama.createCompletion(request);
    return {
      promptTokens: usage.prompt_tokens,
      cachedTokens: timings.cache_n,
      prefillMs: timings.prompt_ms,
      tokens: usage.completion_tokens,
      decodeMs: timings.predicted_ms,
    };
  };
  return { version: ` (llama.cpp ${Wllama.getLibllamaVersion()})`, ask };
}
