// `node minilm.mjs --model FILE.gguf --texts FILE [--browser NAMES] [--device cpu|gpu]`: the npm package's embeddings of a text a line, in each
// browser. The last line is `[{ where, vectors }]` as JSON.
import { readFileSync } from "node:fs";
import { resolve } from "node:path";
import { fileURLToPath } from "node:url";
import { parseArgs } from "node:util";
import { openBrowser } from "./lib/browsers.mjs";
import { serve } from "./lib/server.mjs";

const { values } = parseArgs({
  options: {
    browser: { type: "string", default: "chromium,firefox" },
    device: { type: "string", default: "cpu" },
    model: { type: "string" },
    texts: { type: "string" },
  },
});
if (values.model === undefined || values.texts === undefined) throw new Error("--model FILE and --texts FILE are missing");

const input = readFileSync(values.texts, "utf8").trimEnd().split("\n");
const question = JSON.stringify({ model: "/model.gguf", device: values.device, input });
const server = await serve(fileURLToPath(new URL("../..", import.meta.url)), { "/model.gguf": resolve(values.model) });
const answers = [];
for (const name of values.browser.split(",")) {
  if (name !== "chromium" && name !== "firefox") throw new Error(`no vectors from "${name}", only from chromium and firefox`);
  const browser = await openBrowser(name);
  const page = await browser.openPage(`${server.address}/tests/browser/page.html`, (line) => console.error(`${name} ${line}`));
  await page.ready();
  const vectors = await page.evaluate(`(async ({ model, device, input }) => {
    const { createEngine } = await import("/npm/dist/index.js");
    const engine = await createEngine({ model, device });
    const { data } = await engine.embeddings.create({ input });
    engine.close();
    return data.map(({ embedding }) => embedding);
  })(${question})`);
  answers.push({ where: `${name} ${browser.version}`, vectors });
  await browser.close();
}
await server.close();
console.log(JSON.stringify(answers));
