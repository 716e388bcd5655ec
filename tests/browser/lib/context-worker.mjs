// A worker of any kind that answers: over its own line as a dedicated worker, over a new port as a shared one, over a port that
// comes with a message as a service worker. Imports the library as its user's code would.
import { createEngine } from "../../../npm/dist/index.js";

const scope = /** @type {any} */ (globalThis);
let workers = 0;
if (scope.Worker !== undefined) {
  scope.Worker = class extends scope.Worker {
    /** @param {unknown[]} given */
    constructor(...given) {
      super(...given);
      workers += 1;
    }
  };
}

/** @param {{ postMessage(message: object): void }} line */
async function answer(line) {
  try {
    const engine = await createEngine({ model: "ember", device: "cpu" });
    const messages = /** @type {const} */ ([{ role: "user", content: "What is the opposite of hot?" }]);
    const form = /** @type {const} */ ({ type: "choice", choices: ["cold", "warm"] });
    const { choices } = await engine.chat.completions.create({ messages, temperature: 0, response_format: form });
    const { adapter } = engine.info;
    await engine.close();
    line.postMessage({ text: choices[0].message.content, adapter: adapter.name, workers });
  } catch (thrown) {
    const error = /** @type {any} */ (thrown);
    line.postMessage({ code: error.code ?? error.name, message: error.message });
  }
}

scope.onconnect = (/** @type {MessageEvent} */ { ports: [port] }) => answer(/** @type {MessagePort} */ (port));
scope.onmessage = (/** @type {any} */ event) => {
  const done = answer(event.ports[0] ?? scope);
  // A service worker may be stopped once its event is over.
  event.waitUntil?.(done);
};
