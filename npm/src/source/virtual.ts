/** A model of several files as one, which a module of its own shows. */

import type { ConvertModule } from '../wasm.js';
import type { ModelFiles } from './files.js';
import { pieces } from './pieces.js';
import { type ByteSource, LONGEST_READ } from './source.js';

/**
 * Open all that the model is made of, and show it as one GGUF file.
 *
 * @param quantize what its matrices are converted to as they are read
 */
export async function virtualSource(
  { WasmModelFile }: ConvertModule,
  files: ModelFiles,
  quantize?: string,
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
  const shown = {
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
    const model = await told(WasmModelFile.open(shown, files.first, quantize));
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
