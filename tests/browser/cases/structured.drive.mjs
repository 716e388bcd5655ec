// ember at a temperature at which it talks nonsense, held to JSON schemas: whatever it says, an independent validator accepts.
// By default a few of tests/structured/schemas; with --full all of them.
import { Ajv2020 } from "ajv/dist/2020.js";
import formats from "ajv-formats";
import { engineIn, readCorpus, spread } from "../lib/structured.mjs";

export const timeoutSeconds = 3600;

const SCHEMAS = new URL("../../structured/schemas/", import.meta.url);
/** Schemas of a run that is not full. */
const A_FEW = 12;

/** @param {import("../lib/harness.mjs").DrivenCheck} t */
export default async function (t) {
  const all = readCorpus(SCHEMAS);
  const chosen = t.full ? all : spread(all, A_FEW);
  t.ok(chosen.length >= A_FEW, `at least ${A_FEW} schemas, not ${chosen.length}`);
  const create = await engineIn(await t.openPage(`${t.address}/tests/browser/page.html`));
  const started = performance.now();
  let tokens = 0;
  for (const [name, schema] of chosen) {
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

/**
 * @param {any} schema
 * @param {unknown} document
 */
function isValid(schema, document) {
  const ajv = new Ajv2020({ strict: false });
  formats.default(ajv);
  return ajv.validate(schema, document);
}
