// Runs checks of core/src/selftest, compiled into the test module that `cargo xtask browser` builds beside this folder.

/** @typedef {{ name: string, passed: boolean, message: string, milliseconds: number }} Report */

/**
 * Runs all checks whose name starts with `prefix`; throws naming those that failed.
 * @param {import("./harness.mjs").Check} t
 * @param {string} prefix
 * @param {{ plain: boolean }} options `plain` leaves f16, subgroups and the integer dot product unused
 */
export async function selftest(t, prefix, { plain }) {
  // A variable, since the module is not there before it is built.
  const folder = "../selftest";
  const module = await import(`${folder}/inglenook_wasm.js`);
  await module.default({ module_or_path: fetch(`${t.address}/tests/browser/selftest/inglenook_wasm_bg.wasm`) });
  /** @type {Report[]} */
  const reports = JSON.parse(await module.selftest(prefix, plain));
  t.ok(reports.length > 0, `a check whose name starts with ${prefix}`);
  for (const { name, message } of reports) if (message) t.note(plain ? `${name} (plain)` : name, message);
  const failed = reports.filter(({ passed }) => !passed);
  t.ok(failed.length === 0, `all of ${reports.length} checks to hold, but\n${failed.map(({ name, message }) => `${name}: ${message}`).join("\n")}`);
}
