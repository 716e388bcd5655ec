// Models of several files: the same checkpoint as one GGUF file, in parts and as a folder gives the same tokens; what does not belong
// together is refused by name. In Node also by paths. And one that is converted as it is read.
import { packageEngine } from "../lib/package.mjs";
import { folder, split } from "../lib/model-files.mjs";

export const timeoutSeconds = 300;

const REQUEST = { messages: [{ role: "user", content: "the water of a fire" }], temperature: 0, max_tokens: 16 };

/** @typedef {{ name: string, bytes: Uint8Array<ArrayBuffer> }[]} Files */

/** @param {import("../lib/harness.mjs").Check} t */
export default async function (t) {
  const createEngine = await packageEngine(t);
  const load = (/** @type {unknown} */ model) => createEngine({ model, device: "cpu", threads: 1 });
  const whole = new Uint8Array(await (await fetch(`${t.address}/tests/goldens/models/qwen3.gguf`)).arrayBuffer());
  const expected = await answer(await load(new Blob([whole])));
  const [parts, files] = [split(whole, 3), folder(whole)];
  const forms = { parts: picked(parts.toReversed()), "a folder": picked(files, "qwen/"), ...(await paths(t, parts, files)) };
  for (const [what, model] of Object.entries(forms)) t.equal(await answer(await load(model)), expected, `the answer of ${what}`);

  const converted = await createEngine({ model: picked(files), quantize: "q8_0", device: "cpu", threads: 1 });
  t.equal(converted.info.model.weightTypes, ["Q8_0", "F32"], "what the weights of a folder are converted to");
  t.ok((await answer(converted)).length > 0, "an answer of converted weights");

  const other = split(new Uint8Array(await (await fetch(`${t.address}/tests/goldens/models/qwen2.gguf`)).arrayBuffer()), 3);
  const without = (/** @type {string} */ name) => files.filter((file) => file.name !== name);
  const index = { name: "model.safetensors.index.json", bytes: new TextEncoder().encode('{"weight_map": {"a": "absent.safetensors"}}') };
  /** @type {[string, Files, RegExp][]} */
  const refused = [
    ["a part that is missing", parts.slice(0, 2), /model-00003-of-00003\.gguf is missing/],
    ["parts without the first", parts.slice(1), /no GGUF file that is a model by itself or the first/],
    ["a part of another model", [...parts.slice(0, 2), ...other.slice(2)], /another number of tensors|occurs twice/],
    ["parts in another order", parts.map(({ name }, i) => ({ name, bytes: at(parts, 2 - i) })), /is part 3, where part 1 belongs/],
    ["a folder without config.json", without("config.json"), /no config\.json/],
    ["a folder whose index names an absent shard", [...without(index.name), index], /lacks absent\.safetensors/],
    ["a folder that lacks a shard", without("model-00002-of-00002.safetensors"), /lacks model-00002-of-00002\.safetensors/],
    ["two models", [...parts, { name: "b.gguf", bytes: at(parts, 0) }], /2 models; choose the files of one/],
  ];
  const failure = (/** @type {Promise<any>} */ loading) => loading.then(() => undefined, (/** @type {any} */ error) => error);
  const unknown = await failure(createEngine({ model: picked(files), quantize: "q9", device: "cpu" }));
  t.ok(unknown?.code === "BadRequest" && /"q9".*q4_k_m/.test(unknown.message), `a type that there is not: ${unknown?.message}`);
  for (const [what, model, message] of refused) {
    const error = await failure(load(picked(model)));
    t.ok(error?.code === "BadFile" && message.test(error.message), `${what}: ${error?.code}: ${error?.message}`);
  }
}

/** @param {any} engine */
async function answer(engine) {
  const { choices } = await engine.chat.completions.create(REQUEST);
  await engine.close();
  return choices[0].message.content;
}

/**
 * As a user picks them.
 * @param {Files} files
 * @param {string} [inFolder]
 */
function picked(files, inFolder) {
  return files.map(({ name, bytes }) => {
    const file = new File([bytes], name);
    return inFolder === undefined ? file : Object.defineProperty(file, "webkitRelativePath", { value: inFolder + name });
  });
}

/**
 * @param {Files} files
 * @param {number} index
 */
function at(files, index) {
  return /** @type {Files[number]} */ (files[index]).bytes;
}

/**
 * @param {import("../lib/harness.mjs").Check} t
 * @param {Files} parts
 * @param {Files} files
 * @returns {Promise<Record<string, string>>}
 */
async function paths(t, parts, files) {
  if (t.environment !== "node") return {};
  const [{ mkdtemp, mkdir, writeFile }, { tmpdir }, { join }] = await Promise.all([
    import("node:fs/promises"),
    import("node:os"),
    import("node:path"),
  ]);
  const root = await mkdtemp(join(tmpdir(), "inglenook-"));
  const write = async (/** @type {string} */ name, /** @type {Files} */ files) => {
    await mkdir(join(root, name));
    for (const file of files) await writeFile(join(root, name, file.name), file.bytes);
    return join(root, name);
  };
  const [inParts, inFolder] = [await write("parts", parts), await write("folder", files)];
  return { "a path of a folder": inFolder, "a path of parts": inParts, "a path of one part": join(inParts, "model-00002-of-00003.gguf") };
}
