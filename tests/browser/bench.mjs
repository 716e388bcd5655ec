// `node bench.mjs [--browser NAMES] [--model FILE.gguf|ember]… [--device gpu|cpu] [--prompt-tokens N] [--tokens N]
// [--concurrency N [--shared-prefix N]]`: times models in browsers.
// The last line is the rows as JSON; what happens meanwhile goes to standard error.
import { basename, resolve } from "node:path";
import { fileURLToPath } from "node:url";
import { parseArgs } from "node:util";
import { openBrowser } from "./lib/browsers.mjs";
import { serve } from "./lib/server.mjs";

const { values } = parseArgs({
  options: {
    browser: { type: "string", default: "chromium" },
    model: { type: "string", multiple: true, default: ["ember"] },
    device: { type: "string", default: "gpu" },
    "prompt-tokens": { type: "string", default: "256" },
    tokens: { type: "string", default: "64" },
    concurrency: { type: "string", default: "0" },
    "shared-prefix": { type: "string", default: "0" },
  },
});

/** Models lie anywhere on disk; each gets an address of its own. @type {Record<string, string>} */
const files = {};
const models = values.model.map((model, i) => {
  if (model === "ember") return model;
  files[`/models/${i}/${basename(model)}`] = resolve(model);
  return `/models/${i}/${encodeURIComponent(basename(model))}`;
});

/** Times of one answer and of many are taken so often, in turn; the medians count. */
const RUNS = 3;
const length = (/** @type {"prompt-tokens" | "tokens" | "concurrency" | "shared-prefix"} */ name) => Number(values[name]);
const options = {
  device: values.device,
  promptTokens: length("prompt-tokens"),
  tokens: length("tokens"),
  streams: length("concurrency"),
  sharedPrefix: length("shared-prefix"),
  runs: RUNS,
};

const server = await serve(fileURLToPath(new URL("../..", import.meta.url)), files);
const rows = [];
for (const name of values.browser.split(",")) {
  if (name !== "chromium" && name !== "firefox") throw new Error(`no figures from "${name}", only from chromium and firefox`);
  for (const model of models) {
    // A browser a model: nothing of the model before is left in memory.
    const browser = await openBrowser(name);
    const page = await browser.openPage(`${server.address}/tests/browser/bench.html`, (line) => console.error(`${name} ${line}`));
    await page.ready();
    console.error(`${name} ${browser.version}: ${model}`);
    const row = await page.evaluate(`window.bench(${JSON.stringify({ model, ...options })})`);
    rows.push({ where: `${name} ${browser.version}`, ...row });
    await browser.close();
  }
}
await server.close();
console.log(JSON.stringify(rows));
