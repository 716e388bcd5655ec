/** The engine's tables of a request's fields and of the options of sampling, as the package has them. */

import { readFileSync } from 'node:fs';

const ENGINE = new URL('../../core/src/engine/request/', import.meta.url);
const read = (name) => JSON.parse(readFileSync(new URL(name, ENGINE), 'utf8'));

/** The options of sampling, in order. */
export const samplingOptions = () => read('sampling.json');

const NUMBERS = ['number', 'integer', 'seed'];

/** Which fields a request may have: those of `fields.json`, and the options of sampling. */
export function fieldTable() {
  const table = read('fields.json');
  for (const { name, kind, meanings = {}, aliases = [] } of samplingOptions()) {
    table[''][name] = NUMBERS.includes(kind) ? { whole: meanings } : 'read';
    for (const alias of aliases) table[''][alias] = { alias_of: name };
  }
  return table;
}

/** How the type of an option is written in TypeScript. */
function type(kind) {
  if (NUMBERS.includes(kind)) return 'number';
  return { boolean: 'boolean', texts: 'string | readonly string[]', biases: 'Readonly<Record<string, number>>' }[kind];
}

function range({ min, max }) {
  if (min !== undefined && max !== undefined) return `${min} to ${max}`;
  return min === undefined ? '' : `at least ${min}`;
}

function otherwise({ otherwise, recommended, default: value }) {
  if (otherwise !== undefined) return otherwise;
  return recommended ? `what the model recommends, else ${value}` : JSON.stringify(value);
}

/** Members of an interface, one for each option and each of its other names. */
export function samplingMembers() {
  return samplingOptions().flatMap((option) => {
    const bounds = range(option);
    const told = [`${option.help}.`, ...(bounds === '' ? [] : [`Range: ${bounds}.`]), `Default: ${otherwise(option)}.`];
    const member = (name, help) => `/** ${help} */\nreadonly ${name}?: ${type(option.kind)} | null;`;
    const aliases = (option.aliases ?? []).map((alias) => member(alias, `Another name of \`${option.name}\`.`));
    return [member(option.name, told.join(' ')), ...aliases];
  });
}

/** The options as a table in Markdown, for the documentation. */
export function samplingMarkdown() {
  const cell = (text) => text.replaceAll('|', '\\|').replaceAll('\n', '\\n');
  const rows = samplingOptions().map((option) => {
    const { name, cli, help, aliases = [] } = option;
    const names = [name, ...aliases].map((each) => `\`${each}\``).join(', ');
    const argument = cli === null ? '' : `\`--${cli ?? name.replaceAll('_', '-')}\``;
    return `| ${names} | ${argument} | ${range(option)} | ${cell(otherwise(option))} | ${cell(help)} |`;
  });
  return ['| field | argument | range | default | what it does |', '|---|---|---|---|---|', ...rows].join('\n');
}
