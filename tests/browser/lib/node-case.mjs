// One case in Node, on Dawn (the npm package `webgpu`): `node lib/node-case.mjs CASE CONTEXT`. Writes its result as JSON.
// A process of its own, since Dawn may keep threads alive, and since a crash must not take the other cases along.
import { pathToFileURL } from "node:url";
import { create, globals } from "webgpu";
import { runCase } from "./harness.mjs";

const [file, context] = /** @type {[string, string]} */ (process.argv.slice(2));
Object.assign(globalThis, globals);
Object.defineProperty(globalThis, "navigator", { value: { gpu: create([]) }, configurable: true });

const result = await runCase(await import(pathToFileURL(file).href), { environment: "node", ...JSON.parse(context) });
process.stdout.write(`\n${JSON.stringify(result)}\n`, () => process.exit(0));
