// Run by deployed.html: one engine as a page might ask for it, and what came of it in `window.result`.
const { library, options, without } = JSON.parse(decodeURIComponent(location.hash.slice(1)));
const ASK = { messages: [{ role: "user", content: "What is the opposite of hot?" }], temperature: 0 };

/** @type {object} */
let result;
try {
  for (const path of without) {
    const names = path.split(".");
    const last = names.pop();
    delete names.reduce((/** @type {any} */ owner, /** @type {string} */ name) => owner[name], globalThis)[last];
  }
  const { createEngine } = await import(library);
  const engine = await createEngine({ model: "ember", device: "cpu", ...options });
  const form = { response_format: { type: "choice", choices: ["cold", "warm"] } };
  const { choices: [{ message }] } = await engine.chat.completions.create({ ...ASK, ...form });
  const { reason, adapter } = engine.info;
  await engine.close();
  result = { text: message.content, reason, driver: adapter.driver, isolated: crossOriginIsolated };
} catch (thrown) {
  const error = /** @type {any} */ (thrown);
  result = { code: error.code ?? error.name, message: error.message };
}
Object.assign(window, { result });
