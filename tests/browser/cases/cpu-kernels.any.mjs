// Every kernel of the modules for the CPU against its plain-Rust twin, at awkward shapes: by plain vectors, and by relaxed ones where the
// browser has them, whatever its processor makes of them.

export const timeoutSeconds = 300;

/** @param {import("../lib/harness.mjs").Check} t */
export default async function (t) {
  for (const folder of ["selftest-cpu", "selftest-cpu-relaxed"]) {
    const response = await fetch(`${t.address}/tests/browser/${folder}/inglenook_cpu_wasm.wasm`);
    t.equal(response.status, 200, `the status of ${folder}`);
    const bytes = await response.arrayBuffer();
    // Node has relaxed vectors from 21.
    if (t.environment === "node" && !WebAssembly.validate(bytes)) {
      t.note(folder, "not to be had");
      continue;
    }
    const { instance } = await WebAssembly.instantiate(bytes, {});
    const { memory, selftest, instructions, text_address } = /** @type {any} */ (instance.exports);
    const text = (/** @type {number} */ length) => new TextDecoder().decode(new Uint8Array(memory.buffer, text_address(), length));
    const by = text(instructions());
    const found = text(selftest());
    t.note(by, `${found} cases`);
    t.ok(Number(found) > 100, `all kernels to be as their twins by ${by}, not ${found}`);
  }
}
