// What the engine promises of each step: no GPU objects, few dispatches, submissions and reads; an abort that ends at once; the
// same tokens at WebGPU's default limits, and on the path that real GPUs take.
import { selftest } from "../lib/selftest.mjs";

export const timeoutSeconds = 600;

/** @param {import("../lib/harness.mjs").Check} t */
export default async function (t) {
  await selftest(t, "engine/");
  if (t.full) await selftest(t, "engine/steady", "as-hardware");
}
