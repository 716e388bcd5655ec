// `node bench.mjs [--browser NAMES] [--model FILE.gguf|ember]… [--prompt-tokens N] [--tokens N]`: times models in browsers.
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
    "prompt-tokens": { type: "string", default: "256" },
    tokens: { type: "string", default: "64" },
  },
});

/** Models lie anywhere on disk; each gets an address of its own. @type {Record<string, string>} */
const files = {};
const models = values.model.map((model, i) => {
  if (model === "ember") return model;
  files[`/models/${i}/${basename(model)}`] = resolve(model);
  return `/models/${i}/${encodeURIComponent(basename(model))}`;
});

const server = await serve(fileURLToPath(new URL("../..", import.meta.url)), files);
const rows = [];
for (const name of values.browser.split(",")) {
  if (name !== "chromium" && name !== "firefox") throw new Error(`no figures from "${name}", only from chromium and firefox`);
  for (const model of models) {
    // A browser a model: nothing of the model before is left in memory.
    const browser = await openBrowser(name);
    const page = await browser.openPage(`${server.address}/tests/browser/bench.html`, (line) => console.error(`${name} ${line}`));
    await page.ready();
    const options = { model, promptTokens: Number(values["prompt-tokens"]), tokens: Number(values.tokens) };
    console.error(`${name} ${browser.version}: ${model}`);
    const row = await page.evaluate(`window.bench(${JSON.stringify(options)})`);
    rows.push({ where: `${name} ${browser.version}`, ...row });
    await browser.close();
  }
}
await server.close();
console.log(JSON.stringify(rows));
