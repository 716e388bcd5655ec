// `node run.mjs [--browser chromium,firefox,node] [--case PART-OF-A-NAME] [--full]`: every case in every environment it is for.
// `--full`, or INGLENOOK_FULL=1, has cases over large sets of files (`t.full`) take all of them, which takes long.
// Adding a case = adding a file to cases/; its ending says where it runs:
//   NAME.page.mjs   inside a page, in both browsers
//   NAME.any.mjs    the same, and in Node on Dawn (import only by relative paths, use no `document`)
//   NAME.drive.mjs  in the runner, driving pages in both browsers
// A case is `export default async (t) => …` (see `Check` in lib/harness.mjs); `export const timeoutSeconds` gives it longer.
import { readdirSync } from "node:fs";
import { fileURLToPath } from "node:url";
import { parseArgs } from "node:util";
import { runCases } from "./lib/run-cases.mjs";
import { serve } from "./lib/server.mjs";

/** Software adapters seldom keep two cores busy, so two environments are at work at a time; those of a lane in turn. */
const LANES = /** @type {const} */ ([["chromium"], ["firefox", "node"]]);
const ENVIRONMENTS = LANES.flat();
const CASE_FILE = /^(?<name>.+)\.(?<kind>page|any|drive)\.mjs$/;

const { values } = parseArgs({
  options: {
    browser: { type: "string", default: ENVIRONMENTS.join(",") },
    case: { type: "string", default: "" },
    full: { type: "boolean", default: process.env.INGLENOOK_FULL === "1" },
  },
});
const environments = values.browser.split(",");
const unknown = environments.find((name) => !ENVIRONMENTS.some((known) => known === name));
if (unknown !== undefined) throw new Error(`no environment "${unknown}": there are ${ENVIRONMENTS.join(", ")}`);

const cases = findCases(values.case);
if (cases.length === 0) throw new Error(`no case's name contains "${values.case}"`);

const server = await serve(fileURLToPath(new URL("../..", import.meta.url)));
const counts = { passed: 0, failed: 0 };
await Promise.all(LANES.map(runLane));
await server.close();
console.log(`${counts.passed} passed, ${counts.failed} failed`);
process.exitCode = counts.failed === 0 ? 0 : 1;

/** @param {readonly import("./lib/run-cases.mjs").Environment[]} lane */
async function runLane(lane) {
  for (const environment of lane.filter((name) => environments.includes(name))) {
    await runCases(environment, cases, { address: server.address, full: values.full }, (result) => {
      counts[result.passed ? "passed" : "failed"] += 1;
      print(result);
    });
  }
}

/**
 * @param {string} part
 * @returns {import("./lib/run-cases.mjs").Case[]}
 */
function findCases(part) {
  const url = new URL("cases/", import.meta.url);
  return readdirSync(url)
    .sort()
    .flatMap((entry) => {
      const { name, kind } = CASE_FILE.exec(entry)?.groups ?? {};
      if (name === undefined || !name.includes(part)) return [];
      const file = fileURLToPath(new URL(entry, url));
      return [{ name, kind: /** @type {"page" | "any" | "drive"} */ (kind), file, path: `/tests/browser/cases/${entry}` }];
    });
}

/** @param {import("./lib/run-cases.mjs").CaseResult} result */
function print(result) {
  const verdict = result.passed ? "ok    " : "FAILED";
  console.log(`${verdict} ${result.environment} ${result.name} (${(result.milliseconds / 1000).toFixed(1)} s)`);
  for (const [name, value] of Object.entries(result.notes)) {
    console.log(`         ${name}: ${typeof value === "string" ? value : JSON.stringify(value)}`);
  }
  if (!result.passed) {
    console.log(indent(result.message ?? ""));
    for (const line of result.console) console.log(indent(`console ${line}`));
  }
}

/** @param {string} text */
function indent(text) {
  return text.trimEnd().replace(/^/gm, "         ");
}
