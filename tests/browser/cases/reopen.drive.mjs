// An engine that is closed and made again 15 times, or 50 in a full run, leaves nothing behind: not on the GPU, not in WebAssembly's memory,
// not in JavaScript's heap.
import { openBrowser } from "../lib/browsers.mjs";

export const timeoutSeconds = 900;

const ROUNDS = 15;
const FULL_ROUNDS = 50;
/** Growth allowed from the end of one round to the end of the next, as a share. */
const GROWTH = 0.01 / FULL_ROUNDS;

/** Else V8 keeps what it learns and compiles in the first twenty rounds in the same heap: 100 KB that are not ours. */
const LEARN_NOTHING = "--js-flags=--no-lazy-feedback-allocation --no-opt --no-maglev --no-sparkplug --no-flush-bytecode";

/** Counts the bytes of all buffers that are alive on any device, and gives the page its rounds. */
const PREPARE = `(async () => {
  const alive = new Map();
  const { createBuffer, destroy } = GPUDevice.prototype;
  GPUDevice.prototype.createBuffer = function (descriptor) {
    const buffer = createBuffer.call(this, descriptor);
    if (!alive.has(this)) alive.set(this, new Map());
    alive.get(this).set(buffer, descriptor.size);
    return buffer;
  };
  GPUDevice.prototype.destroy = function () {
    alive.delete(this);
    return destroy.call(this);
  };
  const release = GPUBuffer.prototype.destroy;
  GPUBuffer.prototype.destroy = function () {
    for (const buffers of alive.values()) buffers.delete(this);
    return release.call(this);
  };
  const gpuBytes = () => [...alive.values()].flatMap((buffers) => [...buffers.values()]).reduce((a, b) => a + b, 0);

  const { loadSelftest } = await import("/tests/browser/lib/selftest.mjs");
  const { answer, fetchEmber, loadEngine } = await import("/tests/browser/lib/engine.mjs");
  const module = await loadSelftest({ address: location.origin });
  const { memory } = await module.default();
  const ember = await fetchEmber({ address: location.origin });
  window.round = async () => {
    const engine = await loadEngine(module, ember, { device: "gpu" });
    const { text } = await answer(engine, "What is the opposite of hot?", 8);
    const open = gpuBytes();
    engine.close();
    return { text, open, gpu: gpuBytes(), wasm: memory.buffer.byteLength };
  };
})()`;

/** @param {import("../lib/harness.mjs").DrivenCheck} t */
export default async function (t) {
  const browser = await openBrowser(t.browser.name, { flags: [LEARN_NOTHING] });
  try {
    await reopen(t, await browser.openPage(`${t.address}/tests/browser/page.html`));
  } finally {
    await browser.close();
  }
}

/**
 * @param {import("../lib/harness.mjs").DrivenCheck} t
 * @param {import("../lib/browsers.mjs").Page} page
 */
async function reopen(t, page) {
  await page.evaluate(PREPARE);
  const heap = await heapMeter(t, page);
  const round = async () => ({ ...(await page.evaluate("window.round()")), heap: await heap() });
  const first = await round();
  let last = first;
  const rounds = t.full ? FULL_ROUNDS : ROUNDS;
  for (let i = 1; i < rounds; i += 1) {
    last = await round();
    t.equal(last.text, first.text, `the answer of round ${i + 1}`);
  }
  t.note("after the first round", first);
  t.note(`after round ${rounds}`, last);
  const growth = GROWTH * rounds;
  t.ok(first.open > 8e6, "buffers to be counted while an engine is open");
  t.equal([first.gpu, last.gpu], [0, 0], "bytes of buffers left on the GPU");
  t.close(last.open, first.open, first.open * growth, "bytes of buffers of an open engine");
  t.ok(last.wasm <= first.wasm * (1 + growth), `WebAssembly's memory not to grow: ${first.wasm} to ${last.wasm}`);
  t.ok(last.heap <= first.heap * (1 + growth), `JavaScript's heap not to grow: ${first.heap} to ${last.heap}`);
}

/**
 * Bytes of JavaScript's heap after a collection, array buffers outside it included. Firefox does not tell.
 * @param {import("../lib/harness.mjs").DrivenCheck} t
 * @param {import("../lib/browsers.mjs").Page} page
 * @returns {Promise<() => Promise<number>>}
 */
async function heapMeter(t, page) {
  if (t.environment !== "chromium") return async () => 0;
  const session = await page.driver.context().newCDPSession(page.driver);
  return async () => {
    // The second collection takes what the finalizers of the first have let go.
    for (let i = 0; i < 2; i += 1) await session.send("HeapProfiler.collectGarbage");
    const { usedSize, backingStorageSize } = await session.send("Runtime.getHeapUsage");
    return usedSize + backingStorageSize;
  };
}
