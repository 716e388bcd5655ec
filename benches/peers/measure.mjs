// One turn of a comparison, the same for every runner: load, warm up, and time one answer from an empty cache.

/**
 * @typedef {object} Answer
 * @property {number} promptTokens
 * @property {number} cachedTokens of the prompt, those that were not computed
 * @property {number} prefillMs up to the first token, it included
 * @property {number} tokens generated
 * @property {number} decodeMs from the first token to the last
 *
 * @typedef {object} Runner
 * @property {string} version
 * @property {(prompt: string, tokens: number) => Promise<Answer>} ask greedily continues raw text by exactly so many tokens, whichever
 *   end the model would choose
 *
 * @typedef {{ model: string, threads: number, promptTokens: number, tokens: number }} Options `model`: where the runner finds the file
 */

/** The words of `inglenook bench`, whose meaning does not matter to the time they take. */
const WORDS = "the fire was low and the old dog slept beside it while rain ran down the window ".split(/(?<= )/);
/** Enough tokens that everything a step reuses exists afterwards. */
const WARM_UP = 16;

/**
 * @param {(options: Options) => Promise<Runner>} load
 * @param {Options} options
 * @returns {Promise<Record<string, string | number>>} the turn's figures
 */
export async function measure(load, options) {
  const started = performance.now();
  const runner = await load(options);
  const { promptTokens: round } = await ask(runner, text(WORDS.length, 3), 2);
  // With a first short answer, since some runners read the weights only then.
  const loadMs = performance.now() - started;

  const words = Math.max(1, Math.round((options.promptTokens * WORDS.length) / round));
  await ask(runner, text(words, 1), WARM_UP);
  const run = await ask(runner, text(words, 0), options.tokens);
  return {
    version: runner.version,
    load_ms: Math.round(loadMs),
    prompt_tokens: run.promptTokens,
    prefill_tok_s: rate(run.promptTokens, run.prefillMs),
    decode_tokens: run.tokens,
    // The first token belongs to the prefill.
    decode_tok_s: rate(run.tokens - 1, run.decodeMs),
  };
}

/**
 * Words in a circle. No two prompts of a turn begin with the same one, so that no cache of prefixes helps.
 * @param {number} count
 * @param {number} first of them
 */
function text(count, first) {
  return Array.from({ length: count }, (_, i) => WORDS[(first + i) % WORDS.length]).join("");
}

/**
 * @param {Runner} runner
 * @param {string} prompt
 * @param {number} tokens
 */
async function ask(runner, prompt, tokens) {
  const answer = await runner.ask(prompt, tokens);
  if (answer.tokens !== tokens) throw new Error(`the answer has ${answer.tokens} tokens, not ${tokens}`);
  // The first token of all may be one that begins every text.
  if (answer.cachedTokens > 1) throw new Error(`${answer.cachedTokens} tokens of the prompt came from a cache`);
  return answer;
}

/**
 * @param {number} tokens
 * @param {number} ms
 */
function rate(tokens, ms) {
  return Number(((tokens * 1000) / ms).toFixed(2));
}
