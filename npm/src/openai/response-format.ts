/** What form an answer must have: OpenAI's formats and our own, their types, and the check of their form. */

import { BadRequestError, UnsupportedError } from '../errors.js';
import { toRustRegex } from './regex.js';

/** Free text up to and including this, and only then the format: for models that think or explain first. */
interface Triggered {
  readonly trigger?: string | null;
}

/** One JSON document that fits a schema. */
export interface JsonSchemaFormat extends Triggered {
  readonly type: 'json_schema';
  readonly json_schema: {
    readonly name?: string;
    readonly description?: string;
    /** Of the draft 2020-12. A feature that cannot be held to is an error that names it. */
    readonly schema: Readonly<Record<string, unknown>> | boolean;
    /** As OpenAI has it: no properties beside those that the schema names. */
    readonly strict?: boolean | null;
  };
}

/**
 * The form of an answer. What is not `text` is held to token by token: no answer of another form can come, whatever the model
 * and the temperature; only a token limit can cut it short.
 */
export type ResponseFormat =
  | { readonly type: 'text' }
  /** Any JSON object, or one that fits this schema. */
  | ({ readonly type: 'json_object'; readonly schema?: Readonly<Record<string, unknown>> | null } & Triggered)
  | JsonSchemaFormat
  /** A text that matches from its first character to its last. */
  | ({ readonly type: 'regex'; readonly regex: string | RegExp } & Triggered)
  /** A text of a context-free grammar in Lark's notation. */
  | ({ readonly type: 'lark'; readonly grammar: string } & Triggered)
  /** The same in GBNF, the notation of llama.cpp. */
  | ({ readonly type: 'gbnf'; readonly grammar: string } & Triggered)
  /** One of these texts. */
  | ({ readonly type: 'choice'; readonly choices: readonly string[] } & Triggered);

/** A form as the engine takes it. */
export type WasmResponseFormat = { readonly type: string; readonly trigger?: string } & Readonly<
  Record<string, unknown>
>;

/** Each format's fields, checked. */
const FIELDS: Readonly<Record<string, (format: Readonly<Record<string, unknown>>) => object>> = {
  json_object: () => ({}),
  json_schema: ({ json_schema }) => {
    const { schema } = (json_schema ?? {}) as Partial<JsonSchemaFormat['json_schema']>;
    if (typeof schema !== 'boolean' && (typeof schema !== 'object' || schema === null)) {
      throw wrong('json_schema', 'needs a `json_schema` with the `schema` in it, as an object');
    }
    return { json_schema };
  },
  regex: ({ regex }) => {
    if (regex instanceof RegExp) return { regex: toRustRegex(regex) };
    if (typeof regex !== 'string') throw wrong('regex', 'needs a `regex`, as a RegExp or its text');
    return { regex };
  },
  lark: ({ grammar }) => toGrammar('lark', grammar),
  gbnf: ({ grammar }) => toGrammar('gbnf', grammar),
  choice: ({ choices }) => {
    if (!Array.isArray(choices) || choices.length === 0 || choices.some((text) => typeof text !== 'string')) {
      throw wrong('choice', 'needs `choices`, an array of at least one string');
    }
    return { choices };
  },
};

/**
 * Check a format's form; plain text, which is no constraint, becomes nothing.
 *
 * @throws BadRequestError, UnsupportedError
 */
export function toResponseFormat(format: unknown): { response_format?: WasmResponseFormat } {
  if (format === undefined || format === null) return {};
  if (typeof format !== 'object' || !('type' in format)) {
    throw new BadRequestError('`response_format` must be an object with a `type`, such as { type: "json_object" }.');
  }
  const type = String(format.type);
  if (type === 'text') return {};
  const fields = Object.hasOwn(FIELDS, type) ? FIELDS[type] : undefined;
  if (fields === undefined) {
    const known = ['text', ...Object.keys(FIELDS)].join(', ');
    throw new UnsupportedError(`There is no \`response_format\` of type \`${type}\`. Use one of ${known}.`);
  }
  // Members of other types are the engine's to refuse.
  return { response_format: { ...format, type, ...fields({ ...format }), ...toTrigger(type, format) } };
}

function toTrigger(
  type: string,
  { trigger }: { readonly type: unknown; readonly trigger?: unknown },
): { trigger?: string } {
  if (trigger === undefined || trigger === null) return {};
  if (typeof trigger !== 'string' || trigger === '') throw wrong(type, 'has a `trigger` that is no text');
  return { trigger };
}

function toGrammar(type: string, grammar: unknown): { grammar: string } {
  if (typeof grammar !== 'string') throw wrong(type, 'needs a `grammar`, as a string');
  return { grammar };
}

function wrong(type: string, problem: string): BadRequestError {
  return new BadRequestError(`The \`response_format\` of type \`${type}\` ${problem}.`);
}
