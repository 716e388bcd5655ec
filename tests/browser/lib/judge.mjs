// Whether outputs are of their form, by judges that know nothing of how they came about.
import { execFile } from "node:child_process";
import { fileURLToPath } from "node:url";
import { Ajv } from "ajv";
import { Ajv2020 } from "ajv/dist/2020.js";
import formats from "ajv-formats";

const ROOT = fileURLToPath(new URL("../../..", import.meta.url));

/** @typedef {{ schema: any } | { regex: string } | { gbnf: string }} Form */

/**
 * Schemas are judged here, by ajv. Expressions are in Rust's syntax, and grammars have no reader in npm: a program of ours judges them,
 * `grammar/examples/judge.rs`, on the crate `regex` and a recogniser of its own.
 * @param {{ form: Form, text: string }[]} outputs
 * @returns {Promise<boolean[]>} a verdict for each
 */
export async function judge(outputs) {
  const others = outputs.filter(({ form }) => !("schema" in form));
  const verdicts = others.length > 0 ? await judgeInRust(others) : [];
  return outputs.map(({ form, text }) => ("schema" in form ? isValid(form.schema, text) : verdicts.shift() === true));
}

/**
 * @param {{ form: Form, text: string }[]} outputs
 * @returns {Promise<boolean[]>}
 */
function judgeInRust(outputs) {
  return new Promise((resolve, reject) => {
    const program = execFile("cargo", ["run", "--quiet", "--example", "judge"], { cwd: ROOT }, (error, out, told) => {
      if (error) reject(new Error(`the judge failed: ${told || error.message}`));
      else resolve(out.trim().split("\n").map((line) => line === "true"));
    });
    program.stdin?.end(outputs.map(({ form, text }) => JSON.stringify({ ...form, text })).join("\n"));
  });
}

/**
 * @param {any} schema
 * @param {string} text
 */
function isValid(schema, text) {
  // Formats that the validator does not know are no errors; neither are keywords that say nothing. Without a precision it takes no
  // number of more than 21 digits for a multiple of anything.
  const options = { strict: false, logger: /** @type {const} */ (false), multipleOfPrecision: 9 };
  const ajv = schema.$schema?.includes("draft-07") ? new Ajv(options) : new Ajv2020(options);
  formats.default(ajv);
  try {
    return ajv.validate(schema, JSON.parse(text));
  } catch {
    return false;
  }
}
