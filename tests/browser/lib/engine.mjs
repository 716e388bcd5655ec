// The engine's WebAssembly face without the npm package around it.

/**
 * Bytes in memory as a model's file.
 * @param {Uint8Array} bytes
 */
export function memorySource(bytes) {
  return {
    size: bytes.length,
    read: async (/** @type {number} */ offset, /** @type {number} */ length) => bytes.subarray(offset, offset + length),
  };
}

/**
 * ember, as it lies in the repository.
 * @param {{ address: string }} t
 */
export async function fetchEmber(t) {
  const response = await fetch(`${t.address}/models/ember/ember-q8_0.gguf`);
  return new Uint8Array(await response.arrayBuffer());
}

/**
 * @param {any} module as `loadSelftest` gives it
 * @param {Uint8Array} bytes of a model
 * @param {Record<string, unknown>} [options]
 */
export function loadEngine(module, bytes, options = {}) {
  return module.WasmEngine.load(memorySource(bytes), JSON.stringify(options), () => {});
}

/**
 * A whole answer, while there is no other.
 * @param {any} engine
 * @param {string} question
 * @param {number} tokens at most
 * @returns {Promise<{ text: string, reason: string, usage: Record<string, number> }>}
 */
export async function answer(engine, question, tokens) {
  const messages = [{ role: "user", content: question }];
  engine.submit(JSON.stringify({ messages, temperature: 0, max_tokens: tokens }));
  let text = "";
  let done;
  for (;;) {
    for (const { event, failed, ...report } of JSON.parse(await engine.events())) {
      if (failed) throw Object.assign(new Error(failed.message), { name: failed.name });
      if (event?.type === "text") text += event.text;
      if (event?.type === "done") done = event;
      if ("ended" in report) return { text, reason: done.reason, usage: done.usage };
    }
  }
}
