// `node chromium.mjs --runner NAME --packages DIR --model FILE [--floats] [--threads N] [--messages] [--prompt-tokens N] [--tokens N]`: one
// turn of a runner of runners/, in a Chromium and a page of its own. With more than one thread the page is isolated by headers, as threads
// of WebAssembly ask for; with --messages it is not. The last line is its figures as JSON.
import { readdirSync, readFileSync } from "node:fs";
import { basename, join } from "node:path";
import { fileURLToPath } from "node:url";
import { openBrowser } from "../../tests/browser/lib/browsers.mjs";
import { serve } from "../../tests/browser/lib/server.mjs";
import { convert } from "./onnx/qwen3.mjs";
import { readOptions } from "./options.mjs";

/** The package that a runner imports, and the folder of it that is served. @type {Record<string, { name: string, folder: string }>} */
const PACKAGES = {
  wllama: { name: "@wllama/wllama", folder: "esm" },
  "onnxruntime-web": { name: "onnxruntime-web", folder: "dist" },
};
const ISOLATED = { "cross-origin-opener-policy": "same-origin", "cross-origin-embedder-policy": "require-corp" };

const { packages, floats, messages, model: gguf, ...options } = readOptions();
const model = options.runner === "onnxruntime-web" ? onnx(gguf) : gguf;
const path = `/models/${encodeURIComponent(basename(model))}`;
const isolated = options.threads > 1 && !messages;
const root = fileURLToPath(new URL("../..", import.meta.url));
const { version, files } = peer(options.runner);
files[decodeURIComponent(path)] = model;
const server = await serve(root, files, undefined, () => (isolated ? ISOLATED : {}));
const browser = await openBrowser("chromium");
try {
  const page = await browser.openPage(`${server.address}/benches/peers/page.html`, (line) => console.error(line));
  await page.ready();
  const row = await page.evaluate(`window.turn(${JSON.stringify({ model: path, ...options })})`);
  console.log(JSON.stringify({ ...row, version: `${version}${row.version}, Chromium ${browser.version}` }));
} finally {
  await browser.close();
  await server.close();
}

/**
 * The model as the one runner takes it that reads no GGUF; written beside the packages.
 * @param {string} gguf
 */
function onnx(gguf) {
  const file = join(packages, "..", `${basename(gguf, ".gguf")}${floats ? "-floats" : ""}.onnx`);
  convert(gguf, file, floats);
  return file;
}

/**
 * The version of the runner's package, and its files by their paths on the server; of inglenook, which is served as it lies, neither.
 * @param {string} runner
 * @returns {{ version: string, files: Record<string, string> }}
 */
function peer(runner) {
  const found = PACKAGES[runner];
  if (!found) return { version: "", files: {} };
  const { name, folder } = found;
  const { version } = JSON.parse(readFileSync(join(packages, name, "package.json"), "utf8"));
  const served = join(packages, name, folder);
  const names = readdirSync(served, { recursive: true, encoding: "utf8" });
  const files = names.map((file) => [`/packages/${name}/${folder}/${file}`, join(served, file)]);
  return { version: `${runner} ${version}`, files: Object.fromEntries(files) };
}
