/** A stand-in for the module that shows several files as one: it puts the files one behind the other. */

import { LONGEST_READ, type PieceSource } from '../src/source/source.js';
import type { ConvertedFiles, ConvertModule, WasmModelFile } from '../src/wasm.js';
import { wasmError } from './fake-wasm.js';

/** What became of it. */
export interface FakeConvertLog {
  /** Models and adapters that were shown, and those given back. */
  opened: number;
  freed: number;
  /** What each model was to be converted to. */
  readonly quantize: (string | undefined)[];
}

/** The module, and what is done with it. */
export function fakeConvertModule(): { readonly module: ConvertModule; readonly log: FakeConvertLog } {
  const log: FakeConvertLog = { opened: 0, freed: 0, quantize: [] };
  const shown = (whole: Blob): WasmModelFile => {
    log.opened += 1;
    return {
      size: whole.size,
      async read(offset, length) {
        if (length > LONGEST_READ) throw new RangeError('too much was asked for');
        return new Uint8Array(await whole.slice(offset, offset + length).arrayBuffer());
      },
      free: () => {
        log.freed += 1;
      },
    };
  };
  const module: ConvertModule = {
    WasmModelFile: {
      async open(files, first, quantize) {
        log.quantize.push(quantize);
        const names = first === undefined ? (files.names ?? ['config.json', 'model.safetensors']) : partsOf(first);
        return shown(await joined(files, names));
      },
      async open_adapter(files, base) {
        const names = files.names ?? ['adapter_config.json', 'adapter_model.safetensors'];
        const header = new TextDecoder().decode(await base.read(0, 4));
        if (header !== 'GGUF') throw wasmError('BadFile', 'the model is no GGUF file');
        return shown(new Blob(['GGUF of ', await joined(files, names)]));
      },
    },
  };
  return { module, log };
}

async function joined(files: ConvertedFiles, names: readonly string[]): Promise<Blob> {
  const sources: PieceSource[] = [];
  for (const name of names) {
    const source = await files.open(name);
    if (source === undefined) throw wasmError('BadFile', `${name} is missing`);
    sources.push(source);
  }
  return new Blob((await Promise.all(sources.map(readWhole))) as BlobPart[]);
}

function partsOf(first: string): string[] {
  const [, base, count] = /^(.*)-\d{5}-of-(\d{5})\.gguf$/.exec(first) ?? [];
  return Array.from(
    { length: Number(count) },
    (_, at) => `${base}-${String(at + 1).padStart(5, '0')}-of-${count}.gguf`,
  );
}

async function readWhole(source: PieceSource): Promise<Uint8Array> {
  if (source.size === undefined) throw wasmError('BadFile', 'a file has no length');
  return (await source.read(0, source.size)).slice();
}
