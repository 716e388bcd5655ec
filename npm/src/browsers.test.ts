/** The browsers that the package claims to run in, held to a table of what browsers have. */

import { readFileSync } from 'node:fs';
import { describe, expect, test } from 'vitest';
import { platformUses } from '../test/browser-apis.js';
import { BROWSERS, type Browser, SupportTable } from '../test/browser-support.js';

const TABLE = new SupportTable();
const USES = platformUses();
const read = (path: string) => readFileSync(new URL(path, import.meta.url), 'utf8');
const { browsers } = JSON.parse(read('../package.json')) as {
  browsers: Record<'withoutGpu' | 'withGpu', Record<Browser, number>>;
};

/** What happens without the origin's private file system. */
const FILES = 'a `pageStore` is an UnsupportedError';

/** What is used only where it is there, and what happens where it is not. */
const GUARDED: Readonly<Record<string, string>> = {
  'AbortSignal.any_static': 'compat.ts has another way',
  'AbortSignal.reason': 'compat.ts passes on that there is none',
  'ArrayBuffer.transfer': 'memory is given back later',
  'FileSystemDirectoryHandle.entries': FILES,
  'FileSystemDirectoryHandle.getDirectoryHandle': FILES,
  'FileSystemDirectoryHandle.getFileHandle': FILES,
  'FileSystemDirectoryHandle.removeEntry': FILES,
  'FileSystemFileHandle.createWritable': FILES,
  'FileSystemFileHandle.getFile': FILES,
  'FileSystemWritableFileStream.write': FILES,
  'NavigatorGPU.gpu': 'an error, or the CPU',
  'ReadableStreamBYOBReader.read': 'chunks.ts takes a plain reader',
  'StorageManager.getDirectory': FILES,
  'Symbol.dispose_static': 'the glue leaves a method out',
  'WritableStream.close': FILES,
  'GPU.wgslLanguageFeatures': 'no integer dot product',
  'GPUAdapter.info': 'an adapter without a name',
  'GPUAdapterInfo.isFallbackAdapter': 'asked of the adapter, or told by its name',
  'GPUDevice.onuncapturederror': 'only error scopes tell of faults; Safari has the event from 27',
  'webassembly.relaxed-SIMD': 'the plain module computes on the CPU',
  'GPUError.message': 'an error without words; Safari has the errors themselves from 26',
};

/** What the flags of wasm-opt, which are those of the compiler's target, are called in the table. */
const WASM_FEATURES: Readonly<Record<string, string>> = {
  simd: 'fixed-width-SIMD',
  'bulk-memory': 'bulk-memory-operations',
  'bulk-memory-opt': 'bulk-memory-operations',
  'sign-ext': 'sign-extension-operations',
  'mutable-globals': 'multi-value',
  'nontrapping-float-to-int': 'non-trapping-float-to-int-conversions',
  'reference-types': 'reference-types',
  'relaxed-simd': 'relaxed-SIMD',
};

function wasmFeatures(): string[] {
  const flags = [...read('../../xtask/src/wasm.rs').matchAll(/"--enable-([a-z-]+)"/g)].map(([, flag]) => flag ?? '');
  return flags.map((flag) => `webassembly.${WASM_FEATURES[flag] ?? flag}`);
}

const isGpu = (member: string) => member.startsWith('GPU');
const needed = (gpu: boolean) => [...USES.keys()].filter((member) => isGpu(member) === gpu && !(member in GUARDED));

test('every use of the platform is in the table', () => {
  const unknown = [...USES].filter(([member]) => TABLE.since(member, 'chrome') === undefined);
  expect(unknown).toEqual([]);
});

test('every guarded use is a use, and newer than a claimed browser', () => {
  const stale = Object.keys(GUARDED).filter((member) => {
    const claims = isGpu(member) ? browsers.withGpu : browsers.withoutGpu;
    const isUsed = USES.has(member) || wasmFeatures().includes(member);
    return !isUsed || BROWSERS.every((browser) => (TABLE.since(member, browser) ?? 0) <= claims[browser]);
  });
  expect(stale).toEqual([]);
});

describe.each(BROWSERS)('%s', (browser) => {
  test('runs without a GPU from exactly the version that has what is used', () => {
    const members = [...needed(false), ...wasmFeatures().filter((feature) => !(feature in GUARDED))];
    const versions = members.map((member) => [TABLE.since(member, browser), member] as const);
    const latest = versions.reduce((a, b) => ((a[0] ?? Infinity) >= (b[0] ?? Infinity) ? a : b));
    expect(latest[0], `what ${latest[1]} needs`).toBe(browsers.withoutGpu[browser]);
  });

  test('has all of WebGPU that is used in the oldest version that is claimed', () => {
    const missing = needed(true).filter(
      (member) => (TABLE.since(member, browser) ?? Infinity) > browsers.withGpu[browser],
    );
    expect(missing).toEqual([]);
  });
});

const { chrome, safari, firefox } = browsers.withGpu;
test.each([
  ['core/src/gpu/web.js', `use Chrome ${chrome}, Safari ${safari}, Firefox ${firefox} or newer`],
  ['demo/src/view/errors.ts', `from ${chrome}, in Safari from ${safari}, and in Firefox from ${firefox}`],
])('%s names the versions that are claimed', (path, words) => {
  expect(read(`../../${path}`).includes(words)).toBe(true);
});
