// The schemas, regular expressions and grammars of tests/structured.
import { readdirSync, readFileSync } from "node:fs";

const CORPUS = new URL("../../structured/", import.meta.url);

/** @typedef {{ name: string, response_format: object, form: import("./judge.mjs").Form }} Case what to ask for, and what judges know it by */

/** @returns {Case[]} */
export function readSchemas() {
  const realistic = list("realistic/").map((name) => ({ name, schema: JSON.parse(read(`realistic/${name}`)) }));
  return [...readLines("schemas.jsonl"), ...realistic].map(({ name, schema }) => ({
    name,
    response_format: { type: "json_schema", json_schema: { name: "test", schema } },
    form: { schema },
  }));
}

/** @returns {Case[]} */
export function readRegexes() {
  return readLines("regexes.jsonl").map(({ name, regex }) => ({ name, response_format: { type: "regex", regex }, form: { regex } }));
}

/**
 * Each language is there twice, and its GBNF is what judges know.
 * @returns {Case[]}
 */
export function readGrammars() {
  return list("grammars/").map((name) => {
    const [stem, type] = name.split(".");
    return { name, response_format: { type, grammar: read(`grammars/${name}`) }, form: { gbnf: read(`grammars/${stem}.gbnf`) } };
  });
}

/** @param {string} folder */
function list(folder) {
  return readdirSync(new URL(folder, CORPUS)).sort();
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
