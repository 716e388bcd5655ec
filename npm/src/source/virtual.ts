/** What is several files, as one, which a module of its own shows. */

import type { ConvertedFiles, ConvertModule, WasmModelFile } from '../wasm.js';
import type { ModelFiles } from './files.js';
import { pieces } from './pieces.js';
import { type ByteSource, LONGEST_READ } from './source.js';

/**
 * Open all that the model is made of, and show it as one GGUF file.
 *
 * @param quantize what its matrices are converted to as they are read
 */
export function virtualModel(module: ConvertModule, files: ModelFiles, quantize?: string): Promise<ByteSource> {
  return shown(files, (files, first) => module.WasmModelFile.open(files, first, quantize));
}

/** Show the folder of an adapter as the GGUF file that it is for a model, `base`, of which the header is read. */
export function virtualAdapter(module: ConvertModule, files: ModelFiles, base: ByteSource): Promise<ByteSource> {
  return shown(files, (files) => module.WasmModelFile.open_adapter(files, pieces(base)));
}

async function shown(
  files: ModelFiles,
  open: (files: ConvertedFiles, first?: string) => Promise<WasmModelFile>,
): Promise<ByteSource> {
  const opened: ByteSource[] = [];
  const close = () => {
    for (const source of opened) source.close?.();
  };
  // The one that is being read: no other keeps a connection meanwhile.
  let current: ByteSource | undefined;
  const turnTo = (source: ByteSource) => {
    if (source !== current) current?.pause?.();
    current = source;
  };
  let failure: unknown;
  const noted = <T>(step: Promise<T>): Promise<T> =>
    step.catch((error: unknown) => {
      failure ??= error;
      throw error;
    });
  /** Where a read failed, that is the cause, whatever the module made of it. */
  const told = <T>(step: Promise<T>): Promise<T> =>
    step.catch((error: unknown) => {
      throw failure ?? error;
    });
  const beside = {
    names: files.names,
    open: (name: string) =>
      noted(
        files.open(name).then((source) => {
          if (source === undefined) return undefined;
          opened.push(source);
          turnTo(source);
          const { read } = pieces(source);
          return {
            get size() {
              return source.size;
            },
            read: (offset: number, length: number) => {
              turnTo(source);
              return noted(read(offset, length));
            },
          };
        }),
      ),
  };
  try {
    const model = await told(open(beside, files.first));
    return {
      size: model.size,
      async readInto(offset, target) {
        let filled = 0;
        while (filled < target.length) {
          const length = Math.min(target.length - filled, LONGEST_READ);
          const bytes = await told(model.read(offset + filled, length));
          target.set(bytes, filled);
          filled += bytes.length;
          if (bytes.length < length) break;
        }
        return filled;
      },
      close: () => {
        close();
        model.free();
      },
    };
  } catch (error) {
    close();
    throw error;
  }
}
