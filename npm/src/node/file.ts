/** Model files on disk, beside all that browsers can open too. */

import { type FileHandle, open } from 'node:fs/promises';
import { fileURLToPath } from 'node:url';
import { BadFileError } from '../errors.js';
import type { ModelSpec } from '../protocol.js';
import { openModel } from '../source/open.js';
import type { ByteSource } from '../source/source.js';

/** Open the model that a caller named. */
export async function openModelInNode(model: ModelSpec, signal: AbortSignal): Promise<ByteSource> {
  if ('url' in model && model.url.startsWith('file:')) return fileSource(new URL(model.url));
  return openModel(model, signal);
}

async function fileSource(url: URL): Promise<ByteSource> {
  const path = fileURLToPath(url);
  let file: FileHandle;
  let size: number;
  try {
    file = await open(path);
    size = (await file.stat()).size;
  } catch (cause) {
    throw new BadFileError(`${path} cannot be opened (${String(cause)}). Check the path.`, { cause });
  }
  return {
    size,
    async readInto(offset, target) {
      let filled = 0;
      while (filled < target.length) {
        const { bytesRead } = await file.read(target, filled, target.length - filled, offset + filled);
        if (bytesRead === 0) break;
        filled += bytesRead;
      }
      return filled;
    },
    close: () => void file.close(),
  };
}
