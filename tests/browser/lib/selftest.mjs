// Runs checks of core/src/selftest, compiled into the test module that `cargo xtask browser` builds beside this folder.

/** @typedef {{ name: string, passed: boolean, message: string, milliseconds: number }} Report */

/**
 * The module, instantiated.
 * @param {{ address: string }} t
 */
export async function loadSelftest(t) {
  // A variable, since the module is not there before it is built.
  const folder = "../selftest";
  const module = await import(`${folder}/inglenook_wasm.js`);
  await module.default({ module_or_path: fetch(`${t.address}/tests/browser/selftest/inglenook_wasm_bg.wasm`) });
  return module;
}

/**
 * Runs all checks whose name starts with `prefix`; throws naming those that failed.
 * @param {import("./harness.mjs").Check} t
 * @param {string} prefix
 * @param {"default" | "plain" | "as-hardware"} how the GPU is opened: `plain` leaves f16, subgroups and the integer dot product
 *   unused, `as-hardware` uses a software adapter like a real GPU
 */
export async function selftest(t, prefix, how = "default") {
  const module = await loadSelftest(t);
  /** @type {Report[]} */
  const reports = JSON.parse(await module.selftest(prefix, how));
  t.ok(reports.length > 0, `a check whose name starts with ${prefix}`);
  const label = (/** @type {string} */ name) => (how === "default" ? name : `${name} (${how})`);
  if (reports.length < 30) for (const { name, message } of reports) if (message) t.note(label(name), message);
  const slowest = reports.reduce((a, b) => (a.milliseconds > b.milliseconds ? a : b));
  const summary = `${reports.length} checks, the slowest ${slowest.name} (${Math.round(slowest.milliseconds)} ms)`;
  t.note(label(prefix), summary);
  const failed = reports.filter(({ passed }) => !passed).map(({ name, message }) => `${name}: ${message}`);
  t.ok(failed.length === 0, `all of ${reports.length} checks to hold, but\n${failed.join("\n")}`);
}
