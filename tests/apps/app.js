// In a page: the same question in the page and in a worker of the application's own; leaves what came of it where the runner looks.
import { answer } from "./answer.js";

export function run() {
  Promise.all([answer(), answerInWorker()]).then(
    ([page, worker]) => { window.result = { page, worker }; },
    (error) => { window.result = { error: `${error.name}: ${error.message}` }; },
  );
}

function answerInWorker() {
  return new Promise((resolve, reject) => {
    const worker = new Worker(new URL("./own-worker.js", import.meta.url), { type: "module" });
    worker.onmessage = ({ data }) => (data.error ? reject(new Error(data.error)) : resolve(data));
    worker.onerror = ({ message }) => reject(new Error(`the application's worker failed: ${message}`));
  });
}
