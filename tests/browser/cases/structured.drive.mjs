// ember at a temperature at which it talks nonsense, held to JSON schemas: whatever it says, an independent validator accepts.
// By default a few of the schemas in tests/structured; with --full all of them.
import { readdirSync, readFileSync } from "node:fs";
import { Ajv } from "ajv";
import { Ajv2020 } from "ajv/dist/2020.js";
import formats from "ajv-formats";
import { engineIn } from "../lib/structured.mjs";

export const timeoutSeconds = 3600;

const CORPUS = new URL("../../structured/", import.meta.url);
/** Schemas of a run that is not full. */
const A_FEW = 16;

/** @typedef {{ name: string, schema: any }} Case */

/** @param {import("../lib/harness.mjs").DrivenCheck} t */
export default async function (t) {
  const all = readCorpus();
  t.ok(all.length > A_FEW, `more than ${A_FEW} schemas, not ${all.length}`);
  // Every so many-th, so that the few stand for all.
  const step = t.full ? 1 : Math.floor(all.length / A_FEW);
  const chosen = all.filter((_, i) => i % step === 0);
  const create = await engineIn(await t.openPage(`${t.address}/tests/browser/page.html`));
  const started = performance.now();
  let tokens = 0;
  for (const { name, schema } of chosen) {
    const answer = await create({
      messages: [{ role: "user", content: "Tell me something." }],
      response_format: { type: "json_schema", json_schema: { name: "test", schema } },
      temperature: 1.5,
      seed: 7,
      max_tokens: 600,
    });
    if (!("text" in answer)) throw new Error(`${name}: ${JSON.stringify(answer)}`);
    t.equal(answer.finish_reason, "stop", `${name}: how the document ended (${answer.text})`);
    t.ok(isValid(schema, JSON.parse(answer.text)), `${name}: a valid document, not ${answer.text}`);
    tokens += answer.usage.completion_tokens;
  }
  t.note("valid", `${chosen.length} of ${chosen.length}, ${tokens} tokens, ${Math.round((performance.now() - started) / 1000)} s`);
}

/** @returns {Case[]} */
function readCorpus() {
  const lines = readFileSync(new URL("schemas.jsonl", CORPUS), "utf8").trim().split("\n");
  const realistic = new URL("realistic/", CORPUS);
  const files = readdirSync(realistic).sort();
  return [
    ...lines.map((line) => JSON.parse(line)),
    ...files.map((name) => ({ name, schema: JSON.parse(readFileSync(new URL(name, realistic), "utf8")) })),
  ];
}

/**
 * @param {any} schema
 * @param {unknown} document
 */
function isValid(schema, document) {
  // Formats that the validator does not know are no errors; neither are keywords that say nothing. Without a precision it takes no
  // number of more than 21 digits for a multiple of anything.
  const options = { strict: false, logger: /** @type {const} */ (false), multipleOfPrecision: 9 };
  const ajv = schema.$schema?.includes("draft-07") ? new Ajv(options) : new Ajv2020(options);
  formats.default(ajv);
  return ajv.validate(schema, document);
}
