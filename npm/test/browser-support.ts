/** Since when browsers have what: the table of MDN's browser-compat-data. */

import { readFileSync } from 'node:fs';

/** Browsers whose versions are compared. */
export const BROWSERS = ['chrome', 'edge', 'firefox', 'safari'] as const;
export type Browser = (typeof BROWSERS)[number];

interface Support {
  readonly version_added: string | false | null;
  readonly flags?: unknown;
}
interface Entry {
  readonly __compat?: { readonly support: Readonly<Record<string, Support | readonly Support[]>> };
  readonly [name: string]: unknown;
}

/** Interfaces that exist in the type definitions alone, and one that has their members. */
const MIXINS: Readonly<Record<string, string>> = {
  AbstractWorker: 'Worker',
  ArrayBufferView: 'DataView',
  Body: 'Response',
  CallableFunction: 'Function',
  Console: 'console',
  GPUBindingCommandsMixin: 'GPUComputePassEncoder',
  ImportMeta: 'import_meta',
  MessageEventTarget: 'MessagePort',
  NavigatorConcurrentHardware: 'Navigator',
  NavigatorGPU: 'Navigator',
  NavigatorID: 'Navigator',
  NavigatorStorage: 'Navigator',
  ReadableStreamGenericReader: 'ReadableStreamDefaultReader',
  ReadonlyArray: 'Array',
  ReadonlyMap: 'Map',
  ReadonlySet: 'Set',
  TextEncoderEncodeIntoResult: 'TextEncoder',
};
const TYPED_ARRAY = /^(Int|Uint|Float|BigInt|BigUint)\d+(Clamped)?Array$/;

/** The support table. */
export class SupportTable {
  readonly #roots: readonly Entry[];
  readonly #all: Entry;

  constructor() {
    const file = new URL('../node_modules/@mdn/browser-compat-data/data.json', import.meta.url);
    this.#all = JSON.parse(readFileSync(file, 'utf8'));
    const [api, builtins, operators] = ['api', 'javascript.builtins', 'javascript.operators'].map((path) =>
      this.#at(path),
    );
    this.#roots = [api, builtins, operators, this.#all.webassembly].map((root) => root as Entry);
  }

  /**
   * The first version of a browser with this member, as `platformUses` names it, or with what is at a path from the table's root
   * (`javascript.…`, `webassembly.…`); infinite if there is none, `undefined` where the table does not list it.
   */
  since(member: string, browser: Browser): number | undefined {
    if (member.startsWith('webassembly.') || member.startsWith('javascript.'))
      return firstVersion(this.#at(member), browser);
    const versions = spellings(member).flatMap((path) =>
      this.#roots.map((root) => firstVersion(at(root, path), browser)),
    );
    return versions.find((version) => version !== undefined);
  }

  #at(path: string): Entry | undefined {
    return at(this.#all, path.split('.'));
  }
}

/** Paths under which the table may list a member. */
function spellings(member: string): string[][] {
  const [owner = '', name] = member.split('.');
  if (member === 'WebAssembly') return [['api']];
  if (name === undefined)
    return [
      [owner],
      ['Window', owner],
      ['EventTarget', owner],
      ['DedicatedWorkerGlobalScope', owner],
      ['Object', owner],
    ];
  const plain = name.replace('_static', '');
  if (owner === 'WebAssembly')
    return [
      ['api', name],
      ['api', plain],
    ];
  const owners = [MIXINS[owner] ?? owner, TYPED_ARRAY.test(owner) ? 'TypedArray' : 'EventTarget'];
  const event = plain.startsWith('on') ? [`${plain.slice(2)}_event`] : [];
  const paths = owners.flatMap((one) => [name, plain, `${plain}_static`, ...event].map((spelling) => [one, spelling]));
  // What is not listed for itself is as old as its owner.
  return owner in MIXINS || TYPED_ARRAY.test(owner) ? [...paths, [owners[0] ?? owner]] : paths;
}

function at(root: Entry, path: readonly string[]): Entry | undefined {
  return path.reduce<Entry | undefined>((entry, name) => entry?.[name] as Entry | undefined, root);
}

function firstVersion(entry: Entry | undefined, browser: Browser): number | undefined {
  const support = entry?.__compat?.support[browser];
  if (support === undefined) return undefined;
  const all = Array.isArray(support) ? (support as Support[]) : [support as Support];
  // What was behind a flag does not count; what holds on some systems alone does.
  const versions = all
    .filter(({ flags }) => flags === undefined)
    .map(({ version_added: added }) =>
      typeof added === 'string' ? Number.parseFloat(added.replace('≤', '')) : Infinity,
    );
  return Math.min(...versions);
}
