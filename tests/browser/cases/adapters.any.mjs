// LoRA adapters: a GGUF file and the folder that PEFT saved give the same answers, each request has those that it chose, also at once with others,
// and what does not fit is refused by name.
import { packageEngine } from "../lib/package.mjs";

export const timeoutSeconds = 300;

const REQUEST = { messages: [{ role: "user", content: "the water of a fire" }], temperature: 0, max_tokens: 12, ignore_eos: true };
/** What requests choose, of `a`, `b` and `c` of the goldens. @type {{ name: string, scale?: number }[][]} */
const CHOICES = [[], [{ name: "a" }], [{ name: "b" }], [{ name: "b", scale: 0.5 }], [{ name: "a" }, { name: "c", scale: -0.75 }]];

/** @param {import("../lib/harness.mjs").Check} t */
export default async function (t) {
  const createEngine = await packageEngine(t);
  const bytes = async (/** @type {string} */ path) => new Uint8Array(await (await fetch(`${t.address}/tests/goldens/${path}`)).arrayBuffer());
  const model = new Blob([await bytes("models/llama.gguf")]);
  const files = (/** @type {string} */ folder) =>
    Promise.all(["adapter_config.json", "adapter_model.safetensors"].map(async (name) => new File([await bytes(`adapters/${folder}/${name}`)], name)));
  const [a, b] = [await files("llama/a"), await files("llama/b")];
  const c = `${t.address}/tests/goldens/adapters/llama/c`;

  for (const device of ["cpu", "gpu"]) {
    const options = { model, device, threads: 1, exactActivations: true, kvType: "f32" };
    const gguf = Object.fromEntries(["a", "b", "c"].map((name) => [name, `${t.address}/tests/goldens/adapters/llama/${name}.gguf`]));
    const engine = await createEngine({ ...options, adapters: gguf });
    const alone = [];
    for (const lora of CHOICES) alone.push(await answer(engine, lora));
    t.equal(new Set(alone).size, CHOICES.length, `${device}: different answers`);
    t.equal(await Promise.all(CHOICES.map((lora) => answer(engine, lora))), alone, `${device}: the answers at once`);
    await engine.close();

    const folders = await createEngine({ ...options, adapters: { a } });
    await folders.loadAdapter("b", b);
    await folders.loadAdapter("c", `${c}/`);
    t.equal(await Promise.all(CHOICES.map((lora) => answer(folders, lora))), alone, `${device}: the answers of folders`);
    for (const [what, folder, code, message] of await refused(files, a)) {
      const error = await folders.loadAdapter("other", folder).then(
        () => undefined,
        (/** @type {any} */ error) => error,
      );
      t.ok(error?.code === code && message.test(error.message), `${device}: ${what}: ${error?.code}: ${error?.message}`);
    }
    await folders.close();
  }
}

/**
 * @param {any} engine
 * @param {{ name: string, scale?: number }[]} lora
 */
async function answer(engine, lora) {
  const { choices } = await engine.chat.completions.create({ ...REQUEST, lora });
  return choices[0].message.content;
}

/**
 * @param {(folder: string) => Promise<File[]>} files
 * @param {File[]} a
 * @returns {Promise<[string, File[], string, RegExp][]>}
 */
async function refused(files, a) {
  const [config, weights] = /** @type {[File, File]} */ (a);
  const dora = new File([JSON.stringify({ ...JSON.parse(await config.text()), use_dora: true })], config.name);
  return [
    ["an adapter of another model", await files("gemma3/a"), "BadFile", /gemma|layers|has no|shape/],
    ["magnitudes", [dora, weights], "Unsupported", /DoRA/],
    ["a folder without weights", [config, new File(["x"], "README.md")], "BadFile", /adapter_model\.safetensors/],
    ["a folder without a configuration", [weights, new File(["x"], "README.md")], "BadFile", /adapter_config\.json/],
  ];
}
