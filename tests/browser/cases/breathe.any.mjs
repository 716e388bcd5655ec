// A model on the CPU lets JavaScript's queue be handled between its steps. That takes no timer: browsers make nested ones wait 4 ms each.
import { breathe } from "../../../wasm/host/src/host.js";

const BREATHS = 100;

/** @param {import("../lib/harness.mjs").Check} t */
export default async function (t) {
  const { setTimeout } = globalThis;
  let timers = 0;
  globalThis.setTimeout = /** @type {any} */ (
    (/** @type {any[]} */ ...how) => {
      timers += 1;
      return Reflect.apply(setTimeout, globalThis, how);
    }
  );
  try {
    for (let i = 0; i < BREATHS; i += 1) await breathe();
    t.equal(timers, 0, `timers of ${BREATHS} breaths`);
    t.equal((await Promise.all([breathe(), breathe(), breathe()])).length, 3, "breaths at once");
  } finally {
    globalThis.setTimeout = setTimeout;
  }
  t.ok((await breathsUntilMessage()) < BREATHS, "a message that waits to be handled meanwhile");
}

/** Breaths that pass until a message is handled that was sent before them: one or two, unless they hold it up. */
async function breathsUntilMessage() {
  const { port1, port2 } = new MessageChannel();
  let handled = false;
  port1.onmessage = () => (handled = true);
  port2.postMessage("cancel");
  let breaths = 0;
  for (; !handled && breaths < BREATHS; breaths += 1) await breathe();
  port1.close();
  return breaths;
}
