// Times one model through the npm package, in a page or in Node: what a user's own page would measure.

/** Text for long prompts: plain words, since their meaning does not matter to the time they take. */
const WORDS = "the fire was low and the old dog slept beside it while rain ran down the window".split(" ");

/** Three of them: about as long as a story, since later tokens take longer; the same as `inglenook bench` asks for. */
const PEOPLE = {
  type: "array",
  minItems: 3,
  maxItems: 3,
  items: {
    type: "object",
    properties: { name: { type: "string", maxLength: 8 }, age: { type: "integer", minimum: 0, maximum: 99 } },
    required: ["name", "age"],
    additionalProperties: false,
  },
};

/**
 * @param {any} createEngine of the npm package
 * @param {{ model: string, device: string, promptTokens: number, tokens: number }} options `model` and `device` as `createEngine` takes them;
 *   lengths in tokens, the prompt's without its template
 * @returns {Promise<Record<string, string | number>>} one row of benches/*.csv
 */
export async function benchEngine(createEngine, { model, device, promptTokens, tokens }) {
  const started = performance.now();
  const engine = await createEngine({ model, device });
  const loadMs = performance.now() - started;
  const ask = (/** @type {string} */ content, more = {}) => {
    const request = { messages: [{ role: "user", content }], max_tokens: tokens, temperature: 0, ...more };
    return engine.chat.completions.create(request);
  };
  // Pipelines are compiled and caches filled by the first answer.
  await ask("Tell me a story.");

  const long = await ask(await text(engine, promptTokens));
  const before = await engine.counters();
  const decoded = await decode(() => ask("Tell me a story."), tokens);
  const after = await engine.counters();
  const people = { max_tokens: 1000, response_format: { type: "json_schema", json_schema: { name: "people", schema: PEOPLE } } };
  const tell = () => ask("Tell me of people.", people);
  // The module for grammars is loaded by the first.
  await tell();
  const form = await decode(tell, tokens);
  const row = {
    model: engine.info.model.name,
    weights: engine.info.model.weightTypes.join(" "),
    adapter: engine.info.adapter.name,
    load_ms: Math.round(loadMs),
    prompt_tokens: long.usage.prompt_tokens,
    prefill_tok_s: rate(long.usage.prompt_tokens, long.timings.prefill_ms),
    decode_tokens: decoded.tokens,
    decode_tok_s: rate(decoded.tokens, decoded.ms),
    form_tok_s: rate(form.tokens, form.ms),
    ...perToken(before, after, decoded.tokens),
  };
  await engine.close();
  return row;
}

/**
 * Answers until enough tokens are decoded: a small model's own answers are short.
 * @param {() => Promise<any>} ask
 * @param {number} wanted tokens
 */
async function decode(ask, wanted) {
  const sum = { tokens: 0, ms: 0 };
  while (sum.tokens < wanted) {
    const { usage, timings } = await ask();
    // The first token of an answer belongs to its prefill.
    const tokens = usage.completion_tokens - 1;
    if (tokens < 1) throw new Error("an answer of the model is shorter than two tokens");
    sum.tokens += tokens;
    sum.ms += timings.decode_ms;
  }
  return sum;
}

/**
 * @param {any} engine
 * @param {number} tokens at least
 */
export async function text(engine, tokens) {
  const words = [];
  do {
    for (let i = 0; i < 32; i += 1) words.push(WORDS[words.length % WORDS.length]);
  } while ((await engine.countTokens(words.join(" "))) < tokens);
  return words.join(" ");
}

/** @param {number[]} values */
export function median(values) {
  return values.toSorted((a, b) => a - b)[Math.floor(values.length / 2)] ?? Number.NaN;
}

/**
 * @param {Record<string, number>} before
 * @param {Record<string, number>} after
 * @param {number} tokens
 */
function perToken(before, after, tokens) {
  const entries = Object.entries(after).map(([name, count]) => [
    `${name}_per_token`,
    Number(((count - (before[name] ?? 0)) / tokens).toFixed(3)),
  ]);
  return Object.fromEntries(entries);
}

/**
 * @param {number} tokens
 * @param {number} ms
 */
export function rate(tokens, ms) {
  return Number(((tokens * 1000) / ms).toFixed(2));
}
