// llama.cpp's CPU backend, in the program that node-llama-cpp brings for this machine.
import { readFileSync } from "node:fs";
import { join } from "node:path";
import { pathToFileURL } from "node:url";

/**
 * @param {{ packages: string, model: string, threads: number }} options `packages`: the folder node_modules
 */
export async function loadModel({ packages, model: modelPath, threads: maxThreads }) {
  const folder = join(packages, "node-llama-cpp");
  const { getLlama, LlamaLogLevel } = await import(pathToFileURL(join(folder, "dist/index.js")).href);
  const llama = await getLlama({ gpu: false, build: "never", maxThreads, logLevel: LlamaLogLevel.error });
  const model = await llama.loadModel({ modelPath });
  const { version } = JSON.parse(readFileSync(join(folder, "package.json"), "utf8"));
  return { model, version: `node-llama-cpp ${version} (llama.cpp ${llama.llamaCppRelease.release})` };
}
