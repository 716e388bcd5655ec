// onnxruntime-web's backend of WebAssembly, with the graph that onnx/qwen3.mjs writes.

const FOLDER = "/packages/onnxruntime-web/dist";

/**
 * @param {import("../measure.mjs").Options} options
 * @returns {Promise<import("../measure.mjs").Runner>}
 */
export async function load({ model, threads }) {
  const ort = await import(`${FOLDER}/ort.wasm.min.mjs`);
  ort.env.wasm.wasmPaths = `${FOLDER}/`;
  ort.env.wasm.numThreads = threads;
  const file = new Uint8Array(await (await fetch(model)).arrayBuffer());
  const session = await ort.InferenceSession.create(file, { executionProviders: ["wasm"] });
  const empty = session.inputMetadata.filter(isCache).map((/** @type {any} */ { name, shape }) => {
    const [, heads, , width] = shape;
    return [name, new ort.Tensor("float32", new Float32Array(), [1, heads, 0, width])];
  });

  const ask = async (/** @type {string} */ prompt, /** @type {number} */ wanted) => {
    // Bytes are tokens of the synthetic vocabulary, by their own numbers; so no tokenizer is needed.
    let ids = [...new TextEncoder().encode(prompt)];
    let cache = Object.fromEntries(empty);
    let total = 0;
    const [promptTokens, times] = [ids.length, [performance.now()]];
    while (times.length <= wanted) {
      total += ids.length;
      const results = await session.run({
        ids: new ort.Tensor("int64", BigInt64Array.from(ids, BigInt), [1, ids.length]),
        last: new ort.Tensor("int32", [total - 1], [1]),
        total: new ort.Tensor("int32", [total], [1]),
        ...cache,
      });
      ids = [likeliest(results.logits.data)];
      cache = Object.fromEntries(empty.map((/** @type {any} */ [name]) => [name, results[name.replace("past", "present")]]));
      times.push(performance.now());
    }
    const [started = 0, first = 0] = times;
    return { promptTokens, cachedTokens: 0, prefillMs: first - started, tokens: wanted, decodeMs: (times.at(-1) ?? 0) - first };
  };
  return { version: "", ask };
}

/** @param {{ name: string }} input */
function isCache({ name }) {
  return name.startsWith("past");
}

/** @param {Float32Array} logits */
function likeliest(logits) {
  let best = 0;
  for (let i = 1; i < logits.length; i += 1) {
    if ((logits[i] ?? 0) > (logits[best] ?? 0)) best = i;
  }
  return best;
}
