// Times many answers at once against one, through the npm package; `inglenook bench --concurrency` does the same natively.
import { median, rate, text } from "./bench.mjs";

/** Answers of which it is checked that they are the same alone. */
const COMPARED = 8;

/**
 * @param {any} createEngine of the npm package
 * @param {{ model: string, device: string, streams: number, sharedPrefix: number, promptTokens: number, tokens: number, runs: number }} options
 *   lengths in tokens, about; the shared prefix is part of the prompt
 * @returns {Promise<Record<string, string | number>>} one row of benches/*.csv
 */
export async function benchStreams(createEngine, { model, device, streams, sharedPrefix, promptTokens, tokens, runs }) {
  // Every prompt and answer stays in the cache. What is measured is a step of one row and one of many, so nothing is drafted.
  const cacheTokens = streams * (promptTokens + tokens + 64);
  const engine = await createEngine({ model, device, cacheTokens, maxSequences: streams, speculation: false });
  const shared = sharedPrefix > 0 ? await text(engine, sharedPrefix) : "";
  const own = await text(engine, promptTokens - sharedPrefix);
  const prompts = Array.from({ length: streams }, (_, stream) => `${shared} ${stream} ${own}`);
  const options = { max_tokens: tokens, temperature: 0, ignore_eos: true };
  const answer = (/** @type {string} */ content) =>
    engine.chat.completions.create({ messages: [{ role: "user", content }], ...options });
  const timed = async (/** @type {string[]} */ prompts) => {
    const started = performance.now();
    const answers = await Promise.all(prompts.map(answer));
    const given = answers.reduce((sum, { usage }) => sum + usage.completion_tokens, 0);
    return { answers, rate: rate(given, performance.now() - started) };
  };
  // Plans are built and prompts cached by the first.
  const together = (await timed(prompts)).answers;
  /** @type {Record<"one" | "all", number[]>} */
  const rates = { one: [], all: [] };
  for (let run = 0; run < runs; run += 1) {
    rates.one.push((await timed(prompts.slice(0, 1))).rate);
    rates.all.push((await timed(prompts)).rate);
  }
  const [one, all] = [median(rates.one), median(rates.all)];
  let differing = 0;
  for (const [stream, prompt] of prompts.slice(0, COMPARED).entries()) {
    const alone = await answer(prompt);
    if (alone.choices[0].message.content !== together[stream].choices[0].message.content) differing += 1;
  }
  const row = {
    model: engine.info.model.name,
    weights: engine.info.model.weightTypes.join(" "),
    adapter: engine.info.adapter.name,
    streams,
    shared_prefix: sharedPrefix,
    depth: promptTokens,
    decode_tokens: tokens,
    runs,
    one_tok_s: one,
    all_tok_s: all,
    ratio: Number((all / one).toFixed(2)),
    compared_streams: Math.min(COMPARED, streams),
    differing_streams: differing,
  };
  await engine.close();
  return row;
}
