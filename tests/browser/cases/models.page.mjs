// Tiny checkpoints against HF transformers: logits at every position of a prompt and 64 greedy tokens, with the prompt
// in one chunk, in chunks of 32, and token by token; once more with the software adapter used like a real GPU. (core/tests/engine/model_goldens.rs is the same natively.)
import { loadSelftest } from "../lib/selftest.mjs";

export const timeoutSeconds = 600;

const NAMES = ["biased", "llama", "mistral", "qwen2", "qwen3"];
/** Of the other architectures: in chunks of 32 alone, these always, all of them where every way is taken. */
const OTHERS = ["gemma3", "gemma3n", "gpt-oss-mxfp4", "granitehybrid", "lfm2", "qwen35"];
const REST = [
  "bitnet", "chatglm", "cohere2", "command-r", "exaone4", "exaone4-windowed", "falcon-h1", "falcon-h1-norm", "gemma2", "gemma4", "gemma4-moe",
  "glm4", "glm4moe", "gpt-oss", "granite", "granitehybrid-moe", "granitemoe", "hunyuan-dense", "lfm2moe", "mistral3", "mixtral", "nemotron_h",
  "nemotron_h_moe", "olmo2", "olmo3", "phi3", "phi3-long", "qwen35moe", "qwen3moe", "seed_oss", "smollm3",
];
const CHUNKS = [300, 32, 1];
/** Largest difference, as a share of the largest logit of its position. */
const TOLERANCE = 1e-3;

/** @param {import("../lib/harness.mjs").Check} t */
export default async function (t) {
  const module = await loadSelftest(t);
  for (const name of [...NAMES, ...OTHERS, ...(t.full ? REST : [])]) {
    const { gguf, prompt, greedy, expected } = await golden(t, name);
    for (const chunk of NAMES.includes(name) ? CHUNKS : [32]) {
      for (const how of ["default", "as-hardware"]) {
        if (how === "as-hardware" && !t.full && !(name === "qwen3" && chunk !== 32)) continue;
        const what = `${name} in chunks of ${chunk} (${how})`;
        const [logits, tokens] = await module.selftest_score(gguf, Uint32Array.from(prompt), greedy.length, chunk, how);
        t.equal(logits.length, expected.length, `${what}: number of logits`);
        const worst = largestDifference(logits, expected, prompt.length);
        t.note(what, worst.toExponential(1));
        t.ok(worst <= TOLERANCE, `${what}: logits within ${TOLERANCE} of the reference, not ${worst}`);
        t.equal([...tokens], greedy, `${what}: the greedy tokens`);
      }
    }
  }
}

/**
 * @param {{ address: string }} t
 * @param {string} name
 */
async function golden(t, name) {
  const get = async (/** @type {string} */ file) => {
    const response = await fetch(`${t.address}/tests/goldens/models/${file}`);
    if (!response.ok) throw new Error(`${file}: HTTP ${response.status}`);
    return response;
  };
  const { prompt, greedy } = /** @type {{ prompt: number[], greedy: number[] }} */ (await (await get(`${name}.json`)).json());
  const gguf = new Uint8Array(await (await get(`${name}.gguf`)).arrayBuffer());
  const expected = new Float32Array(await (await get(`${name}.logits.f32`)).arrayBuffer());
  return { gguf, prompt, greedy, expected };
}

/**
 * @param {Float32Array} found
 * @param {Float32Array} expected
 * @param {number} positions
 */
function largestDifference(found, expected, positions) {
  const vocab = expected.length / positions;
  let worst = 0;
  for (let start = 0; start < expected.length; start += vocab) {
    let [scale, difference] = [0, 0];
    for (let i = start; i < start + vocab; i += 1) {
      const [is, was] = [/** @type {number} */ (found[i]), /** @type {number} */ (expected[i])];
      // Written so that NaN counts as the worst.
      if (!(Math.abs(is - was) <= difference)) difference = Number.isNaN(is) ? Infinity : Math.abs(is - was);
      scale = Math.max(scale, Math.abs(was));
    }
    worst = Math.max(worst, difference / scale);
  }
  return worst;
}
