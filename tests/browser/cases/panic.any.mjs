// A panic inside the module becomes an error that callers see, never a promise that nobody settles.
import { loadSelftest } from "../lib/selftest.mjs";

/** @param {import("../lib/harness.mjs").Check} t */
export default async function (t) {
  // The panic also ends its task with a trap that nobody can catch; pages report it, Node would stop.
  globalThis.process?.once("uncaughtException", () => {});
  const module = await loadSelftest(t);
  const stuck = module.selftest_read({ read: () => new Promise(() => {}) }, 0, 1, null);
  const thrown = (/** @type {Error} */ error) => error;
  for (const error of await Promise.all([module.selftest_panic().catch(thrown), stuck.catch(thrown)])) {
    t.equal(error.name, "Internal", "the code of a promise of a module that panicked");
    t.ok(error.message.includes("as the test has asked for"), `its cause to be told: ${error.message}`);
  }
  const later = await module.selftest_read({}, 0, 1, null).catch(thrown);
  t.equal(later.name, "Internal", "the code of what is asked afterwards");
}
