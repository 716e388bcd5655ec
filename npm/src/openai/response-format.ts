/** What form an answer must have: OpenAI's formats and our own. */

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
