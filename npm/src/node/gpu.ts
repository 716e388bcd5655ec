/** WebGPU where the runtime has none of its own: the npm package `webgpu`. */

import { NoWebGpuError } from '../errors.js';

/** What that package exports. */
interface WebGpuPackage {
  create(flags: string[]): unknown;
  readonly globals: Readonly<Record<string, unknown>>;
}

/**
 * Make sure that `navigator.gpu` exists. The engine looks for it there, as every WebGPU program does; one that the caller has put
 * there, with flags of their own, is left alone.
 */
export async function provideGpu(): Promise<void> {
  const { navigator } = globalThis;
  if (navigator !== undefined && 'gpu' in navigator && navigator.gpu) return;
  const { create, globals } = await importWebGpu();
  for (const [name, value] of Object.entries(globals)) {
    if (!(name in globalThis)) Object.defineProperty(globalThis, name, { value, configurable: true, writable: true });
  }
  if (navigator === undefined) Object.defineProperty(globalThis, 'navigator', { value: {}, configurable: true });
  Object.defineProperty(globalThis.navigator, 'gpu', { value: create([]), configurable: true });
}

async function importWebGpu(): Promise<WebGpuPackage> {
  // Not a literal: bundlers would insist on resolving a package that is optional.
  const name = 'webgpu';
  try {
    return (await import(name)) as WebGpuPackage;
  } catch (cause) {
    throw new NoWebGpuError(
      `This runtime has no WebGPU of its own, and the package for it cannot be loaded (${String(cause)}). Install it: npm install webgpu`,
      { cause },
    );
  }
}
