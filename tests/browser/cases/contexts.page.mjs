// The library inside workers of each kind: a dedicated one starts workers of its own, the others compute in their own thread where they
// can start none. So do all of Firefox, where a worker that starts one is at times blocked for ever; nor does the engine's worker start any.

const SCRIPT = "/tests/browser/lib/context-worker.mjs";
const EXPECTED = "cold";

/** @typedef {{ text?: string, adapter?: string, workers?: number, code?: string, message?: string }} Answer */

/** @type {Record<string, () => Promise<Answer>>} */
const CONTEXTS = {
  "a dedicated worker": () => {
    const worker = new Worker(SCRIPT, { type: "module" });
    worker.postMessage("");
    return answerOf(worker, worker);
  },
  "a dedicated worker from a blob": () => {
    const text = `import ${JSON.stringify(new URL(SCRIPT, location.href).href)}; postMessage("loaded");`;
    const worker = new Worker(URL.createObjectURL(new Blob([text], { type: "text/javascript" })), { type: "module" });
    return new Promise((resolve, reject) => {
      worker.onerror = ({ message }) => reject(new Error(`it did not start: ${message}`));
      worker.onmessage = () => {
        worker.postMessage("");
        resolve(answerOf(worker, worker));
      };
    });
  },
  "a shared worker": () => {
    const worker = new SharedWorker(SCRIPT, { type: "module" });
    return answerOf(worker.port, worker);
  },
  "a service worker": async () => {
    const registration = await navigator.serviceWorker.register(SCRIPT, { type: "module" });
    const worker = registration.installing ?? registration.waiting ?? registration.active;
    const { port1, port2 } = new MessageChannel();
    await activated(/** @type {ServiceWorker} */ (worker));
    worker?.postMessage("", [port2]);
    return answerOf(port1, port1).finally(() => registration.unregister());
  },
};

/** @param {import("../lib/harness.mjs").Check} t */
export default async function (t) {
  const script = await fetch("/npm/dist/inglenook/worker.js");
  t.ok(!/\bnew Worker\b/.test(await script.text()), "no worker to be started by the engine's");
  for (const [name, ask] of Object.entries(CONTEXTS)) {
    const answer = await ask();
    t.note(name, answer);
    t.equal(answer.text, EXPECTED, `the answer in ${name}`);
    t.equal(answer.workers, name.startsWith("a dedicated") && t.environment !== "firefox" ? 2 : 0, `the workers that ${name} starts`);
  }
}

/**
 * @param {MessagePort | Worker} line
 * @param {EventTarget} worker
 * @returns {Promise<Answer>}
 */
function answerOf(line, worker) {
  return new Promise((resolve, reject) => {
    line.onmessage = (/** @type {MessageEvent<Answer>} */ { data }) => resolve(data);
    worker.addEventListener("error", (event) => reject(new Error(`it did not start: ${/** @type {ErrorEvent} */ (event).message}`)));
  });
}

/** @param {ServiceWorker} worker */
function activated(worker) {
  return new Promise((resolve, reject) => {
    const look = () => {
      if (worker.state === "activated") resolve(undefined);
      if (worker.state === "redundant") reject(new Error("the service worker could not be installed"));
    };
    worker.addEventListener("statechange", look);
    look();
  });
}
