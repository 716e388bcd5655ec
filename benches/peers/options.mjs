// The arguments of the programs in this folder.
import { parseArgs } from "node:util";

/**
 * @returns {import("./measure.mjs").Options & { packages: string, runner: string, floats: boolean, messages: boolean }} `packages`: the folder
 *   node_modules; `floats`: for a runner that reads no GGUF, whether weights are unpacked before; `messages`: that threads share no memory
 */
export function readOptions() {
  const { values } = parseArgs({
    options: {
      packages: { type: "string" },
      runner: { type: "string", default: "" },
      floats: { type: "boolean", default: false },
      messages: { type: "boolean", default: false },
      model: { type: "string" },
      threads: { type: "string", default: "1" },
      "prompt-tokens": { type: "string", default: "256" },
      tokens: { type: "string", default: "64" },
    },
  });
  const { packages, model, runner, floats, messages } = values;
  if (packages === undefined || model === undefined) throw new Error("--packages DIR and --model FILE are missing");
  const { threads, tokens } = values;
  const lengths = { promptTokens: Number(values["prompt-tokens"]), tokens: Number(tokens) };
  return { packages, runner, floats, messages, model, threads: Number(threads), ...lengths };
}
