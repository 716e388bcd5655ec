// `node transformers-js.mjs PACKAGES MODEL_FOLDER TEXTS`: sentences a second of transformers.js in batches of texts that are nearly as long, as
// JSON. PACKAGES is a folder node_modules, MODEL_FOLDER has onnx/model.onnx and tokenizer.json, TEXTS a text a line.
import { readFileSync } from "node:fs";
import { basename, dirname, join, resolve } from "node:path";
import { pathToFileURL } from "node:url";

const BATCH = 32;

const [packages = "", folder = "", file = ""] = process.argv.slice(2).map((path) => resolve(path));
const { env, pipeline } = await import(pathToFileURL(join(packages, "@huggingface/transformers/dist/transformers.node.mjs")).href);
env.allowRemoteModels = false;
env.localModelPath = dirname(folder);
const extract = await pipeline("feature-extraction", basename(folder), { dtype: "fp32" });

/** @param {string[]} texts */
async function embed(texts) {
  const order = texts.map((_, i) => i).sort((a, b) => (texts[a] ?? "").length - (texts[b] ?? "").length);
  /** @type {number[][]} */
  const vectors = [];
  for (let first = 0; first < order.length; first += BATCH) {
    const batch = order.slice(first, first + BATCH);
    const means = await extract(batch.map((i) => texts[i]), { pooling: "mean", normalize: true });
    const rows = means.tolist();
    batch.forEach((i, row) => {
      vectors[i] = rows[row];
    });
  }
  return vectors;
}

const texts = readFileSync(file, "utf8").trimEnd().split("\n");
await embed(texts.slice(0, BATCH));
const started = performance.now();
const vectors = await embed(texts);
const seconds = (performance.now() - started) / 1000;
console.log(JSON.stringify({ version: `transformers.js ${env.version}`, sentences_a_second: texts.length / seconds, first: vectors[0] }));
