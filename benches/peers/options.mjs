// The arguments of the programs in this folder.
import { parseArgs } from "node:util";

/** @returns {import("./measure.mjs").Options & { packages: string, runner: string }} `packages`: the folder node_modules */
export function readOptions() {
  const { values } = parseArgs({
    options: {
      packages: { type: "string" },
      runner: { type: "string", default: "" },
      model: { type: "string" },
      threads: { type: "string", default: "1" },
      "prompt-tokens": { type: "string", default: "256" },
      tokens: { type: "string", default: "64" },
    },
  });
  const { packages, model, runner } = values;
  if (packages === undefined || model === undefined) throw new Error("--packages DIR and --model FILE are missing");
  const { threads, tokens } = values;
  return { packages, runner, model, threads: Number(threads), promptTokens: Number(values["prompt-tokens"]), tokens: Number(tokens) };
}
