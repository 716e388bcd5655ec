// Models on servers: of one that is inspected no more than its header is fetched, and the module for several files only for such models,
// which load from the address of a part, or of a folder.
import { mkdtemp, rm, writeFile } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { fileURLToPath } from "node:url";
import { readFileSync } from "node:fs";
import { folder, split } from "../lib/model-files.mjs";
import { serve } from "../lib/server.mjs";

export const timeoutSeconds = 300;

const ROOT = fileURLToPath(new URL("../../../", import.meta.url));
const EMBER = "/models/ember/ember-q8_0.gguf";
const CONVERT = "/npm/dist/inglenook/inglenook-convert.wasm";
/** What a header's reader asks for at first, in bytes; ember's header is shorter. */
const FIRST_PIECE = 256 << 10;

/** @param {import("../lib/harness.mjs").DrivenCheck} t */
export default async function (t) {
  const disk = await mkdtemp(join(tmpdir(), "inglenook-"));
  const whole = new Uint8Array(readFileSync(join(ROOT, "tests/goldens/models/qwen3.gguf")));
  /** @type {Record<string, string>} */
  const files = {};
  for (const { name, bytes } of [...split(whole, 2), ...folder(whole)]) {
    files[`/hf/${name}`] = join(disk, name);
    await writeFile(join(disk, name), bytes);
  }
  /** @type {string[]} */
  const asked = [];
  /** @type {(string | undefined)[]} */
  const ranges = [];
  const server = await serve(ROOT, files, (path, range) => {
    asked.push(path);
    if (path === EMBER) ranges.push(range);
    return true;
  });
  try {
    const page = await t.openPage(`${server.address}/tests/browser/page.html`);
    const run = (/** @type {string} */ code) => page.evaluate(inPage(code));
    const bytes = readFileSync(join(ROOT, EMBER)).length;
    const told = await run(`return inspect("${EMBER}")`);
    t.equal(ranges, [`bytes=0-${FIRST_PIECE - 1}`], "what is fetched of a model that is inspected");
    const blob = await run(`return inspect(await (await fetch("${EMBER}")).blob())`);
    t.equal(blob, told, "what is told of a Blob");
    t.equal([told.model.architecture, told.bytes, told.canRun, told.problem], ["qwen3", bytes, true, null], "what ember is");
    t.equal([told.outlook.contextLength, told.outlook.kvType, told.bandwidth], [512, "q8_0", 1e9], "what was asked for");
    t.ok(told.tokensPerSecond > 0 && told.outlook.total > told.outlook.needs.weights, JSON.stringify(told.outlook));
    t.equal(asked.includes(CONVERT), false, "whether the module for several files was asked for");
    for (const address of ["/hf/model-00002-of-00002.gguf", "/hf/"]) {
      const told = await run(`return inspect("${address}")`);
      t.equal([told.model.architecture, told.model.parameters, told.canRun], ["qwen3", PARAMETERS, true], `what ${address} is`);
      t.equal(await run(`return answer("${address}")`), await run(`return answer("/tests/goldens/models/qwen3.gguf")`), `its answer`);
    }
    t.equal(asked.includes(CONVERT), true, "whether it was asked for by now");
    const { problem } = await run(`return inspect("/hf/", { kvType: "q4_0", contextLength: 1024 })`);
    t.equal(problem, null, "what is wrong with another cache");
  } finally {
    await server.close();
    await rm(disk, { recursive: true });
  }
}

/** Weights of the golden. */
const PARAMETERS = 391_488;

/** @param {string} code */
function inPage(code) {
  return `(async () => {
    const { createEngine, Model } = await import("/npm/dist/index.js");
    const inspect = (source, options = { kvType: "q8_0", contextLength: 512 }) =>
      Model.inspect(source, { device: "cpu", bandwidth: 1e9, ...options });
    const answer = async (model) => {
      const engine = await createEngine({ model, device: "cpu", threads: 1 });
      const messages = [{ role: "user", content: "the water of a fire" }];
      const { choices } = await engine.chat.completions.create({ messages, temperature: 0, max_tokens: 8 });
      await engine.close();
      return choices[0].message.content;
    };
    ${code}
  })()`;
}
