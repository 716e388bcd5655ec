/** The types of field-table.js, for tests. */

export function samplingOptions(): readonly { readonly name: string; readonly help: string }[];
export function fieldTable(): Readonly<Record<string, Readonly<Record<string, unknown>>>>;
export function samplingMembers(): readonly string[];
export function samplingMarkdown(): string;
