// Every variant of every kernel against its plain-Rust twin, the more of their cases with --full: each browser's compiler has its own view of WGSL.
import { selftest } from "../lib/selftest.mjs";

export const timeoutSeconds = 1800;

/** @param {import("../lib/harness.mjs").Check} t */
export default async function (t) {
  await selftest(t, "kernel/");
  if (t.full) await selftest(t, "further/");
}
