// The GPU facade's promises (core/src/selftest/facade.rs and clients.rs), the same as `cargo test` checks natively; once with all that
// the adapter can do, once with the optional features left unused.
import { selftest } from "../lib/selftest.mjs";

/** @param {import("../lib/harness.mjs").Check} t */
export default async function (t) {
  await selftest(t, "facade/");
  await selftest(t, "facade/", "plain");
  await selftest(t, "clients/");
}
