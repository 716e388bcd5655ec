// A model of 2 GB loads, over HTTP and through the npm package's own sources, in little memory: WebAssembly's memory plus
// JavaScript's heap (array buffers included) stay within 64 MiB of what they were before. Chromium's protocol tells both.
import { mkdtemp, open, readFile, rm } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { fileURLToPath } from "node:url";
import { serve } from "../lib/server.mjs";

export const timeoutSeconds = 900;

const ROOT = new URL("../../../", import.meta.url);
const MIB = 1 << 20;
const LIMIT_MIB = 64;
/** Milliseconds between two looks. */
const INTERVAL = 50;

const PREPARE = `(async () => {
  const { default: init, WasmEngine } = await import("/npm/wasm/inglenook_wasm.js");
  const { openModel } = await import("/npm/dist/source/open.js");
  const { readAhead } = await import("/npm/dist/source/read-ahead.js");
  const { memory } = await init({ module_or_path: fetch("/npm/wasm/inglenook_wasm_bg.wasm") });
  window.wasmBytes = () => memory.buffer.byteLength;
  window.load = async (url) => {
    const source = readAhead(await openModel({ kind: "url", url }, new AbortController().signal));
    let read = 0;
    const engine = await WasmEngine.load(source, JSON.stringify({ context_length: 64, device: "gpu" }), (bytes) => (read = bytes));
    const { model, memory, adapter } = JSON.parse(engine.info());
    source.close();
    engine.close();
    return { read, parameters: model.parameters, weights: memory.weights, adapter: adapter.name };
  };
})()`;

/** @param {import("../lib/harness.mjs").DrivenCheck} t */
export default async function (t) {
  if (t.environment !== "chromium") {
    t.note("not measured", "Firefox does not tell how large its heap is");
    return;
  }
  const folder = await mkdtemp(join(tmpdir(), "inglenook-large-"));
  const file = join(folder, "large.gguf");
  const length = await writeModel(file);
  const server = await serve(fileURLToPath(ROOT), { "/large.gguf": file });
  try {
    await measure(t, server.address, length);
  } finally {
    await server.close();
    await rm(folder, { recursive: true });
  }
}

/**
 * @param {import("../lib/harness.mjs").DrivenCheck} t
 * @param {string} address
 * @param {number} length of the file in bytes
 */
async function measure(t, address, length) {
  const page = await t.openPage(`${address}/tests/browser/page.html`);
  await page.evaluate(PREPARE);
  const session = await page.driver.context().newCDPSession(page.driver);
  await session.send("HeapProfiler.collectGarbage");
  const look = async () => {
    const { usedSize, backingStorageSize } = await session.send("Runtime.getHeapUsage");
    const wasm = await page.evaluate("window.wasmBytes()");
    return { heap: usedSize, buffers: backingStorageSize, wasm, sum: usedSize + backingStorageSize + wasm };
  };
  const idle = await look();
  const started = performance.now();
  let [loading, peak, looks] = [true, idle, 0];
  const loaded = page.evaluate('window.load(`${location.origin}/large.gguf`)').finally(() => (loading = false));
  while (loading) {
    const now = await look();
    looks += 1;
    if (now.sum > peak.sum) peak = now;
    await new Promise((resolve) => setTimeout(resolve, INTERVAL));
  }
  const facts = await loaded;
  t.note("loaded", { ...facts, seconds: Math.round((performance.now() - started) / 1000), looks });
  t.note("idle, MiB", inMib(idle));
  t.note("peak, MiB", inMib(peak));
  t.ok(length >= 2e9, `a file of 2 GB, not ${length} bytes`);
  t.ok(facts.weights >= 2e9, `2 GB of weights on the GPU, not ${facts.weights} bytes`);
  t.ok(looks >= 20, `at least 20 looks, not ${looks}`);
  const above = (peak.sum - idle.sum) / MIB;
  t.ok(above <= LIMIT_MIB, `at most ${LIMIT_MIB} MiB above idle, not ${above.toFixed(1)}`);
}

/**
 * The header of a model and as many zeros as its weights take; on disk they take no room.
 * @param {string} path
 * @returns {Promise<number>} the file's length in bytes
 */
async function writeModel(path) {
  const module = await import(new URL("tests/browser/selftest/inglenook_wasm.js", ROOT).href);
  await module.default({ module_or_path: await readFile(new URL("tests/browser/selftest/inglenook_wasm_bg.wasm", ROOT)) });
  const [header, length] = module.selftest_large_model();
  const file = await open(path, "w");
  await file.write(header);
  await file.truncate(length);
  await file.close();
  return length;
}

/** @param {Record<string, number>} bytes */
function inMib(bytes) {
  return Object.fromEntries(Object.entries(bytes).map(([name, count]) => [name, Number((count / MIB).toFixed(1))]));
}
