/**
 * Builds `dist`: an entry for browsers and one for Node, the worker's script, and beside them in `dist/inglenook` the files that are used at
 * run time. The modules that the compiler writes there are not published (`files` in package.json): tests/browser loads some by itself.
 */

import { execFileSync } from 'node:child_process';
import { copyFileSync, existsSync, mkdirSync, readdirSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { fileURLToPath } from 'node:url';
import { rolldown } from 'rolldown';

/** The files and what they are copied from, with the command that makes it. */
const COPIED = {
  'inglenook.wasm': ['../wasm/inglenook_wasm_bg.wasm', 'run `cargo xtask wasm`'],
  'inglenook-grammar.wasm': ['../wasm-grammar/inglenook_grammar_wasm_bg.wasm', 'run `cargo xtask wasm`'],
  'inglenook-convert.wasm': ['../wasm-convert/inglenook_convert_wasm_bg.wasm', 'run `cargo xtask wasm`'],
  'inglenook-cpu.wasm': ['../wasm-cpu/inglenook_cpu_wasm.wasm', 'run `cargo xtask wasm`'],
  'inglenook-cpu-relaxed.wasm': ['../wasm-cpu-relaxed/inglenook_cpu_wasm.wasm', 'run `cargo xtask wasm`'],
  'ember-q8_0.gguf': ['../../models/ember/ember-q8_0.gguf', 'it is part of the repository, so check the checkout'],
};

const root = path('..');
const assets = new URL('../dist/inglenook/', import.meta.url);

rmSync(path('../dist'), { recursive: true, force: true });
execFileSync(path('../node_modules/.bin/tsc'), ['-p', 'tsconfig.build.json'], { cwd: root, stdio: 'inherit' });
// One file each: a page loads it in one request, and it compresses by a third better than its modules by themselves.
await bundleEntry('index', 'browser');
await bundleEntry('node', 'node');
withoutDocs('../dist/package-files.js');
mkdirSync(assets, { recursive: true });
for (const [name, [from, remedy]] of Object.entries(COPIED)) {
  if (!existsSync(path(from))) throw new Error(`${path(from)} is missing: ${remedy}.`);
  copyFileSync(path(from), new URL(name, assets));
}
// JSON, but not called so: some bundlers make a module of what is.
writeFileSync(new URL('shaders.txt', assets), JSON.stringify(shadersOnDemand()));
await bundleWorker();

function path(relative) {
  return fileURLToPath(new URL(relative, import.meta.url));
}

/**
 * The texts of the shaders that are not in the module, by name: those that a line of the list names, and those in folders that it names. As
 * core/build.rs leaves the others, without comments and indentation.
 */
function shadersOnDemand() {
  const list = readFileSync(path('../../shaders/on_demand.txt'), 'utf8').trim().split('\n');
  const names = readdirSync(path('../../shaders'), { recursive: true })
    .filter((file) => file.endsWith('.wgsl'))
    .map((file) => file.replaceAll('\\', '/').replace(/\.wgsl$/, ''))
    .filter((name) => list.some((entry) => name === entry || name.startsWith(`${entry}/`)))
    .sort();
  const shorten = (text) => text.replace(/\/\/.*/g, '').replace(/^\s+|[ \t]+$/gm, '');
  return Object.fromEntries(
    names.map((name) => [name, shorten(readFileSync(path(`../../shaders/${name}.wgsl`), 'utf8'))]),
  );
}

/** All but the addresses of the files, which bundlers look for as they are written. */
async function bundleEntry(name, platform) {
  const external = (id) => id.endsWith('/package-files.js');
  await bundle({ input: path(`../src/${name}.ts`), platform, external }, { dir: path('../dist'), format: 'esm' });
}

/** One classic script without imports: every bundler copies it, and it starts from a blob as well as from its address. */
async function bundleWorker() {
  const file = fileURLToPath(new URL('worker.js', assets));
  await bundle(
    { input: path('../src/worker.ts'), platform: 'browser' },
    { file, format: 'iife', codeSplitting: false },
  );
}

async function bundle(input, output) {
  const bundle = await rolldown({ resolve: { extensionAlias: { '.js': ['.ts', '.js'] } }, ...input });
  await bundle.write({ minify: true, ...output });
  await bundle.close();
}

/** A script without its documentation, which a page would download: it stands in the `.d.ts` beside it. */
function withoutDocs(script) {
  // Whole lines alone: what bundlers are told stands within lines.
  const text = readFileSync(path(script), 'utf8');
  writeFileSync(path(script), text.replace(/^[ \t]*\/\*\*[\s\S]*?\*\/[ \t]*\n/gm, '').replace(/^[ \t]*\/\/.*\n/gm, ''));
}
