/** The files that the package needs at run time beside its modules: they lie in one folder, `inglenook`, next to this module. */

import { BadRequestError, DeploymentError } from './errors.js';
import { packageFiles } from './package-files.js';

/** Where each file is, as absolute addresses. */
export interface Assets {
  /** The host as one classic script without imports: no bundler has to understand it. */
  readonly worker: string;
  readonly wasm: string;
  /** Texts of the shaders that only some models need, by name. */
  readonly shaders: string;
  /** The second module, which only answers of a given form need. */
  readonly grammarWasm: string;
  /** The module that shows several files as one, which only models of several files need. */
  readonly convertWasm: string;
  /** The module that computes on the CPU, which only an engine there needs. */
  readonly cpuWasm: string;
  /** The same for a processor that multiplies bytes. */
  readonly cpuRelaxedWasm: string;
  /** The model that comes with the package. */
  readonly ember: string;
}

/**
 * Where the files are: in `folder`, or where a bundler says.
 *
 * @param base what a relative `folder` is relative to
 * @throws DeploymentError, BadRequestError
 */
export function assetsIn(folder: string | URL | undefined, base: string): Assets {
  if (folder !== undefined) return inFolder(folder, base);
  let files: Record<keyof Assets, URL>;
  try {
    files = packageFiles();
  } catch (cause) {
    const message =
      'The package cannot tell where its files are, since it was bundled into a script that is no ES module. Build with ES modules as the output format, or serve node_modules/inglenook/dist/inglenook and pass its address as `assetsUrl`.';
    throw new DeploymentError(message, { cause });
  }
  return Object.fromEntries(Object.entries(files).map(([name, url]) => [name, unmoved(url)])) as unknown as Assets;
}

function inFolder(folder: string | URL, base: string): Assets {
  try {
    const { href } = new URL(folder, base);
    const file = (name: string) => new URL(name, href.endsWith('/') ? href : `${href}/`).href;
    return {
      worker: file('worker.js'),
      wasm: file('inglenook.wasm'),
      shaders: file('shaders.txt'),
      grammarWasm: file('inglenook-grammar.wasm'),
      convertWasm: file('inglenook-convert.wasm'),
      cpuWasm: file('inglenook-cpu.wasm'),
      cpuRelaxedWasm: file('inglenook-cpu-relaxed.wasm'),
      ember: file('ember-q8_0.gguf'),
    };
  } catch {
    throw new BadRequestError(
      `"${String(folder)}" is no valid \`assetsUrl\`. Pass the address of the folder that holds the package's files.`,
    );
  }
}

/** Vite's development server up to version 7 moves modules of packages to its cache, and no other file with them. */
const VITE_CACHE = /\/node_modules\/\.vite\/deps[^/]*\//;

function unmoved({ href }: URL): string {
  return href.replace(VITE_CACHE, '/node_modules/inglenook/dist/');
}
