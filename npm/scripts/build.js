/** Builds `dist`: modules by the TypeScript compiler, and beside them in `dist/inglenook` the files that are used at run time. */

import { execFileSync } from 'node:child_process';
import { copyFileSync, existsSync, mkdirSync, readdirSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { fileURLToPath } from 'node:url';
import { rolldown } from 'rolldown';
import { minifySync } from 'rolldown/experimental';

/** The files and what they are copied from, with the command that makes it. */
const COPIED = {
  'inglenook.wasm': ['../wasm/inglenook_wasm_bg.wasm', 'run `cargo xtask wasm`'],
  'inglenook-grammar.wasm': ['../wasm-grammar/inglenook_grammar_wasm_bg.wasm', 'run `cargo xtask wasm`'],
  'inglenook-cpu.wasm': ['../wasm-cpu/inglenook_cpu_wasm.wasm', 'run `cargo xtask wasm`'],
  'inglenook-cpu-relaxed.wasm': ['../wasm-cpu-relaxed/inglenook_cpu_wasm.wasm', 'run `cargo xtask wasm`'],
  'ember-q8_0.gguf': ['../../models/ember/ember-q8_0.gguf', 'it is part of the repository, so check the checkout'],
};

const root = fileURLToPath(new URL('..', import.meta.url));
const assets = new URL('../dist/inglenook/', import.meta.url);

rmSync(new URL('../dist/', import.meta.url), { recursive: true, force: true });
execFileSync(fileURLToPath(new URL('../node_modules/.bin/tsc', import.meta.url)), ['-p', 'tsconfig.build.json'], {
  cwd: root,
  stdio: 'inherit',
});
eachScript('../dist/', short);
// Written by wasm-bindgen, and nobody's to read.
for (const folder of ['../wasm/', '../wasm-grammar/']) eachScript(folder, minified);
mkdirSync(assets, { recursive: true });
for (const [name, [path, remedy]] of Object.entries(COPIED)) {
  const from = new URL(path, import.meta.url);
  if (!existsSync(from)) throw new Error(`${fileURLToPath(from)} is missing: ${remedy}.`);
  copyFileSync(from, new URL(name, assets));
}
await bundleWorker();

/** Writes each script of a folder anew. */
function eachScript(path, rewrite) {
  const folder = new URL(path, import.meta.url);
  for (const name of readdirSync(folder, { recursive: true })) {
    if (!name.endsWith('.js')) continue;
    const file = new URL(name, folder);
    writeFileSync(file, rewrite(readFileSync(file, 'utf8')));
  }
}

/** Without the documentation, which a page would download: it stands in the `.d.ts` beside it. */
function withoutDocs(text) {
  // Whole lines alone: what bundlers are told stands within lines.
  return text.replace(/^[ \t]*\/\*\*[\s\S]*?\*\/[ \t]*\n/gm, '').replace(/^[ \t]*\/\/.*\n/gm, '');
}

/** Short, since a page may load these as they are; but as written where bundlers look for addresses. */
function short(text) {
  return text.includes('import.meta') ? withoutDocs(text) : minified(text);
}

function minified(text) {
  const { code, errors } = minifySync('module.js', text, { module: true });
  if (errors.length > 0) throw new Error(errors[0].message);
  return code;
}

/** One classic script without imports: every bundler copies it, and it starts from a blob as well as from its address. */
async function bundleWorker() {
  const bundle = await rolldown({
    input: fileURLToPath(new URL('../src/worker.ts', import.meta.url)),
    resolve: { extensionAlias: { '.js': ['.ts', '.js'] } },
    platform: 'browser',
  });
  await bundle.write({
    file: fileURLToPath(new URL('worker.js', assets)),
    format: 'iife',
    minify: true,
    codeSplitting: false,
  });
  await bundle.close();
}
