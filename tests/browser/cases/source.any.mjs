// Files as JavaScript gives them to the engine: whole pieces, short ones, none, lies, failures and abortion.
import { loadSelftest } from "../lib/selftest.mjs";

const MIB = 1 << 20;
const FILE = Uint8Array.from({ length: 9 * MIB + 13 }, (_, i) => i % 251);

/** @param {import("../lib/harness.mjs").Check} t */
export default async function (t) {
  const module = await loadSelftest(t);
  const whole = memory({});
  const read = (/** @type {any} */ source, /** @type {number} */ offset, /** @type {number} */ length, /** @type {any} */ signal = null) =>
    module.selftest_read(source, offset, length, signal);

  t.ok(same(await read(whole, 5, 9 * MIB), 5), "nine mebibytes to be equal");
  t.equal(whole.lengths, [4 * MIB, 4 * MIB, MIB], "the pieces asked for");
  t.ok(same(await read(memory({ longest: 70_001 }), 3, MIB), 3), "short pieces to be put together");

  const late = await thrown(read(whole, FILE.length - 4, 9));
  t.equal(late.name, "BadFile", "the code of reading past the end");
  t.ok(late.message.includes("only 4 are there"), `what is there to be told: ${late.message}`);
  t.equal((await thrown(read(whole, 2 ** 60, 1))).name, "BadFile", "the code of an offset beyond counting");
  t.equal((await thrown(read(memory({ excess: 1 }), 0, 100))).name, "Download", "the code of too many bytes");
  t.equal((await thrown(read({ read: async () => "text" }, 0, 100))).name, "Download", "the code of no bytes");
  t.equal((await thrown(read({}, 0, 100))).name, "Download", "the code of no reader");

  const broken = await thrown(read({ read: () => Promise.reject(new Error("cable cut")) }, 0, 100));
  t.ok(broken.name === "Download" && broken.message.includes("cable cut"), `the cause to be told: ${broken.message}`);
  const refused = Object.assign(new Error(""), { name: "AbortError" });
  t.equal((await thrown(read({ read: () => Promise.reject(refused) }, 0, 1))).name, "Aborted", "the code of an abort");

  const stuck = { read: () => new Promise(() => {}) };
  const controller = new AbortController();
  const waiting = thrown(read(stuck, 0, 100, controller.signal));
  setTimeout(() => controller.abort(), 10);
  t.equal((await waiting).name, "Aborted", "the code of a read that was given up");
  t.equal((await thrown(read(stuck, 0, 100, AbortSignal.abort()))).name, "Aborted", "the code of one never begun");

  const noModel = await thrown(module.selftest_tensors(whole));
  t.equal(noModel.name, "BadFile", "the code of a file that is no model");
}

/** @param {{ longest?: number, excess?: number }} faults */
function memory({ longest = Infinity, excess = 0 }) {
  /** @type {number[]} */
  const lengths = [];
  return {
    size: FILE.length,
    lengths,
    async read(/** @type {number} */ offset, /** @type {number} */ length) {
      lengths.push(length);
      return FILE.slice(offset, offset + Math.min(length, longest) + excess);
    },
  };
}

/**
 * @param {Uint8Array} bytes
 * @param {number} offset
 */
function same(bytes, offset) {
  return bytes.every((byte, i) => byte === FILE[offset + i]);
}

/** @param {Promise<unknown>} promise */
async function thrown(promise) {
  return promise.then(
    () => new Error("nothing was thrown"),
    (error) => /** @type {Error} */ (error),
  );
}
