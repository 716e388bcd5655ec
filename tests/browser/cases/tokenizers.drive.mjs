// Tokenizers of every family, from each of its files, against their references: the module gives the same ids and texts as the
// native build (core/src/selftest/tokenizers.rs). By default every so many-th string of the 20,000; with --full all of them.
import { existsSync, readdirSync } from "node:fs";

export const timeoutSeconds = 900;

const FOLDER = "tests/goldens/tokenizers/";
const ROOT = new URL("../../../", import.meta.url);
/** Of the strings, one in so many in a run that is not full. */
const STEP = 20;
const FAMILIES = 26;

const PREPARE = `(async () => {
  const { loadSelftest } = await import("/tests/browser/lib/selftest.mjs");
  const module = await loadSelftest({ address: location.origin });
  const bytes = async (name) => new Uint8Array(await (await fetch("/${FOLDER}" + name)).arrayBuffer());
  const strings = await bytes("strings.jsonl");
  window.compare = async (file, kind, sums, step) =>
    module.selftest_tokenizer(await bytes(file), kind, strings, await bytes(sums), step);
})()`;

/** @param {import("../lib/harness.mjs").DrivenCheck} t */
export default async function (t) {
  const page = await t.openPage(`${t.address}/tests/browser/page.html`);
  await page.evaluate(PREPARE);
  const names = readdirSync(new URL(FOLDER, ROOT)).flatMap((file) => (file.endsWith(".json") ? [file.slice(0, -5)] : []));
  t.ok(names.length >= FAMILIES, `at least ${FAMILIES} families, not ${names.length}`);
  const failures = [];
  let [files, strings] = [0, 0];
  for (const { file, kind, sums } of names.flatMap(filesOf)) {
    const [compared, wrong] = await page.evaluate(`window.compare("${file}", "${kind}", "${sums}", ${t.full ? 1 : STEP})`);
    t.ok(compared >= 20_000 / (t.full ? 1 : STEP), `${file}: strings to be compared, not ${compared}`);
    if (wrong.length > 0) failures.push(`${file}: ${wrong.join("\n  ")}`);
    files += 1;
    strings += compared;
  }
  t.note("compared", `${strings} strings of ${files} files of ${names.length} families`);
  t.ok(failures.length === 0, `all ids and texts to be the references', but\n${failures.join("\n")}`);
}

/**
 * A family's vocabulary as it is stored, and which file of checksums tells what comes of it.
 * @param {string} name
 */
function filesOf(name) {
  const has = (/** @type {string} */ ending) => existsSync(new URL(`${FOLDER}${name}.${ending}`, ROOT));
  // A GGUF file is made from the model file where there is one, and its reference is SentencePiece then.
  const sums = has("model.crc") ? "model.crc" : "json.crc";
  const all = [
    { kind: "json", sums: "json.crc" },
    { kind: "gguf", sums },
    { kind: "model", sums },
  ];
  return all.filter(({ kind }) => has(kind)).map((one) => ({ kind: one.kind, file: `${name}.${one.kind}`, sums: `${name}.${one.sums}` }));
}
