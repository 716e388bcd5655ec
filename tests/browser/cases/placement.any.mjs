// Where a model runs: `auto` takes no software adapter and says why, whatever the browser tells of its adapter, and no GPU that is slower
// than the CPU; a driver that refuses is asked for less; a browser without an adapter of one preference is asked without it.
import { fetchEmber, loadEngine } from "../lib/engine.mjs";
import { loadSelftest } from "../lib/selftest.mjs";

export const timeoutSeconds = 300;

const GIVEN = navigator.gpu;
/** What the engine does with an adapter of which it knows nothing bad, and whose driver opens nothing. */
const CLOSED = { vendor: "nvidia", architecture: "turing" };

/** Adapters as browsers of several ages describe them, and what `auto` must say of each. @type {Record<string, [any, RegExp]>} */
const ON_CPU = {
  "SwiftShader by its architecture": [{ info: { vendor: "google", architecture: "swiftshader" } }, /google swiftshader.*the CPU answers sooner/],
  "SwiftShader in Chrome 113": [
    { requestAdapterInfo: async () => ({ vendor: "google", architecture: "swiftshader", device: "", description: "" }) },
    /google swiftshader.*the CPU answers sooner/,
  ],
  "lavapipe by its description": [{ info: { description: "llvmpipe (LLVM 15.0.6, 256 bits)" } }, /llvmpipe .*the CPU answers sooner/],
  "WARP by its description": [{ info: { vendor: "microsoft", description: "Microsoft Basic Render Driver" } }, /Basic Render/],
  "a fallback by its info": [{ info: { isFallbackAdapter: true } }, /an unnamed adapter.*the CPU answers sooner/],
  "a fallback by itself": [{ isFallbackAdapter: true, requestAdapterInfo: async () => ({}) }, /the CPU answers sooner/],
  "a GPU whose driver refuses": [{ info: CLOSED }, /the GPU refused to open: no device today/],
  "a GPU that tells nothing, and whose driver refuses": [{}, /the GPU refused to open: no device today/],
  "no adapter": [null, /no adapter was found/],
};

/** @param {import("../lib/harness.mjs").Check} t */
export default async function (t) {
  const module = await loadSelftest(t);
  const ember = await fetchEmber(t);
  try {
    for (const [name, [adapter, reason]] of Object.entries(ON_CPU)) await answersOnCpu(t, module, ember, name, adapter, reason);
    await asksForLess(t, module);
    await asksWithoutPreference(t, module);
    await measuresGpus(t);
  } finally {
    offer(GIVEN);
  }
  await saysWhere(t);
}

/**
 * @param {import("../lib/harness.mjs").Check} t
 * @param {any} module
 * @param {Uint8Array} ember
 * @param {string} name
 * @param {any} described
 * @param {RegExp} expected
 */
async function answersOnCpu(t, module, ember, name, described, expected) {
  let asked = 0;
  const requestDevice = async () => {
    asked += 1;
    throw new Error("no device today");
  };
  const adapter = described && { features: new Set(), limits: {}, requestDevice, ...described };
  offer({ requestAdapter: async () => adapter });
  const engine = await loadEngine(module, ember);
  const info = JSON.parse(engine.info());
  engine.close();
  t.equal(info.adapter.backend, "cpu", `where ${name} leads to`);
  t.ok(info.reason.startsWith("no GPU: ") && expected.test(info.reason), `${name} to be told, not "${info.reason}"`);
  t.equal(asked > 0, name.includes("refuses"), `whether a device of ${name} was asked for`);
  const refusal = await loadEngine(module, ember, { device: "gpu" }).catch((/** @type {Error} */ error) => error);
  t.equal(refusal.name, "NoAdapter", `the code where a GPU was asked for and there is ${name}`);
}

/**
 * The real adapter, with a driver that refuses what is too much for it.
 * @param {import("../lib/harness.mjs").Check} t
 * @param {any} module
 */
async function asksForLess(t, module) {
  const refuses = {
    features: (/** @type {any} */ { requiredFeatures }) => requiredFeatures.length > 0,
    limits: (/** @type {any} */ { requiredLimits }) => Object.keys(requiredLimits).length > 0,
  };
  for (const [what, refused] of Object.entries(refuses)) {
    for (const late of [false, true]) {
      /** @type {any[]} */
      const wishes = [];
      offer({
        wgslLanguageFeatures: GIVEN.wgslLanguageFeatures,
        requestAdapter: async (/** @type {any} */ options) => {
          const real = /** @type {GPUAdapter} */ (await GIVEN.requestAdapter(options));
          const { features, limits, info } = real;
          const requestDevice = async (/** @type {any} */ wish) => {
            wishes.push(wish);
            if (!refused(wish)) return real.requestDevice(wish);
            if (!late) throw new Error(`too many ${what}`);
            const device = await real.requestDevice();
            device.destroy();
            await device.lost;
            return device;
          };
          return { features, limits, info, requestDevice };
        },
      });
      const [report] = JSON.parse(await module.selftest("facade/write_and_read_back", "default"));
      t.ok(report.passed, `a device to open that refuses ${what}${late ? " late" : ""}: ${report.message}`);
      const asked = wishes.map(({ requiredFeatures, requiredLimits }) => [requiredFeatures.length > 0, Object.keys(requiredLimits).length > 0]);
      const all = [[true, true], [false, true], [false, false]];
      t.equal(asked, all.slice(0, what === "features" ? 2 : 3), `what is asked for where ${what} are refused (features, limits)`);
    }
  }
}

/**
 * @param {import("../lib/harness.mjs").Check} t
 * @param {any} module
 */
async function asksWithoutPreference(t, module) {
  /** @type {any[]} */
  const preferences = [];
  offer({
    wgslLanguageFeatures: GIVEN.wgslLanguageFeatures,
    requestAdapter: async (/** @type {any} */ options) => {
      preferences.push(options?.powerPreference ?? "none");
      return options?.powerPreference ? null : GIVEN.requestAdapter();
    },
  });
  const [report] = JSON.parse(await module.selftest("facade/write_and_read_back", "default"));
  t.ok(report.passed, `an adapter without a preference to be used: ${report.message}`);
  t.equal(preferences, ["high-performance", "none"], "the preferences asked for");
}

/**
 * The adapter that is really there, under the name of a GPU: software is slower than the module for the CPU.
 * @param {import("../lib/harness.mjs").Check} t
 */
async function measuresGpus(t) {
  let isSoftware = false;
  const requestAdapter = async () => {
    const real = /** @type {GPUAdapter} */ (await GIVEN.requestAdapter());
    const { features, limits, info } = real;
    isSoftware = /swiftshader|llvmpipe|lavapipe/i.test([info.architecture, info.description].join(" "));
    return { features, limits, info: CLOSED, requestDevice: (/** @type {any} */ wish) => real.requestDevice(wish) };
  };
  offer({ wgslLanguageFeatures: GIVEN.wgslLanguageFeatures, requestAdapter });
  const { createEngine } = await import(`../../../npm/dist/${t.environment === "node" ? "node.js" : "index.js"}`);
  const options = { model: "ember", worker: false };
  const { adapter, measured, reason } = await closed(await createEngine(options));
  t.note("measured", `${reason} (${JSON.stringify(measured)})`);
  t.ok(measured.gpu > 1e6 && (measured.cpu === null || measured.cpu > 1e6), `figures of weights a second, not ${JSON.stringify(measured)}`);
  t.ok(reason.includes("the GPU computes "), `figures in words, not "${reason}"`);
  if (isSoftware) t.equal([adapter.backend, measured.cpu > measured.gpu], ["cpu", true], "where a slow GPU leads to, and that the CPU is faster");
  const asked = await closed(await createEngine({ ...options, device: "gpu" }));
  t.equal([asked.adapter.name, asked.measured], ["nvidia turing", undefined], "a GPU that was asked for, and what is measured of it");
}

/**
 * @param {any} engine
 * @returns {Promise<any>} its facts
 */
async function closed(engine) {
  await engine.close();
  return engine.info;
}

/**
 * The npm package with its default, on the adapter that is really there.
 * @param {import("../lib/harness.mjs").Check} t
 */
async function saysWhere(t) {
  const entry = t.environment === "node" ? "node.js" : "index.js";
  const { createEngine } = await import(`../../../npm/dist/${entry}`);
  for (const device of [undefined, "auto", "gpu", "cpu"]) {
    const started = performance.now();
    const engine = await createEngine({ model: "ember", device });
    const loadMs = Math.round(performance.now() - started);
    const { adapter, reason, threads } = engine.info;
    const { usage, timings } = await engine.chat.completions.create({
      messages: [{ role: "user", content: "Tell me a story." }],
      temperature: 0,
      max_tokens: 64,
    });
    const speed = `${Math.round((1000 * (usage.completion_tokens - 1)) / timings.decode_ms)} tok/s`;
    t.note(`device ${device}`, `${adapter.name} (${reason}), loaded in ${loadMs} ms, ${speed}`);
    await engine.close();
    const onGpu = adapter.backend !== "cpu";
    t.equal(onGpu, device === "gpu" || (device !== "cpu" && !adapter.software), `whether device ${device} is a GPU`);
    const { count } = threads ?? { count: 0 };
    t.equal(count > 0, !onGpu, `whether device ${device} has threads`);
    const driver = `WebAssembly SIMD, ${count} thread${count === 1 ? "" : "s"}`;
    // Which of the modules it is, the processor says.
    if (!onGpu) t.equal(adapter.driver.replace("relaxed ", ""), driver, `what device ${device} computes with`);
    if (!onGpu) t.ok(/^no GPU: .*|^the CPU was asked for$/.test(reason), `a reason for the CPU, not "${reason}"`);
  }
  const unknown = await createEngine({ model: "ember", device: "webgl" }).catch((/** @type {any} */ error) => error);
  t.ok(unknown.code === "BadRequest" && unknown.message.includes("webgl"), `an unknown device to be refused: ${unknown}`);
}

/** @param {any} gpu what `navigator.gpu` is from now on */
function offer(gpu) {
  Object.defineProperty(navigator, "gpu", { value: gpu, configurable: true });
}
