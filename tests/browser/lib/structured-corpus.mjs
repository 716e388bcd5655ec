// The schemas and regular expressions of tests/structured, each with a judge that knows nothing of how an answer came about.
import { readdirSync, readFileSync } from "node:fs";
import { Ajv } from "ajv";
import { Ajv2020 } from "ajv/dist/2020.js";
import formats from "ajv-formats";

const CORPUS = new URL("../../structured/", import.meta.url);

/** @typedef {{ name: string, response_format: object, accepts: (text: string) => boolean }} Case */

/** @returns {Case[]} */
export function readSchemas() {
  const realistic = readdirSync(new URL("realistic/", CORPUS)).sort();
  const all = [
    ...readLines("schemas.jsonl"),
    ...realistic.map((name) => ({ name, schema: JSON.parse(read(`realistic/${name}`)) })),
  ];
  return all.map(({ name, schema }) => ({
    name,
    response_format: { type: "json_schema", json_schema: { name: "test", schema } },
    accepts: (text) => isValid(schema, JSON.parse(text)),
  }));
}

/**
 * Those that mean the same here as in Rust's syntax.
 * @returns {Case[]}
 */
export function readRegexes() {
  return readLines("regexes.jsonl").flatMap(({ name, regex }) => {
    const judge = /\\[dwsb]/i.test(regex) ? undefined : tryRegex(`^(?:${regex})$`);
    return judge === undefined ? [] : [{ name, response_format: { type: "regex", regex }, accepts: (text) => judge.test(text) }];
  });
}

/**
 * @param {string} source
 * @returns {RegExp | undefined}
 */
function tryRegex(source) {
  try {
    // There a dot matches some ends of lines too.
    return new RegExp(source, "su");
  } catch {
    return undefined;
  }
}

/** @param {string} file */
function read(file) {
  return readFileSync(new URL(file, CORPUS), "utf8");
}

/**
 * @param {string} file
 * @returns {any[]}
 */
function readLines(file) {
  return read(file).trim().split("\n").map((line) => JSON.parse(line));
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
