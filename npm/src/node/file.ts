/** Model files on disk, beside all that browsers can open too. */

import { type FileHandle, open } from 'node:fs/promises';
import { fileURLToPath } from 'node:url';
import { BadFileError } from '../errors.js';
import type { ModelSpec } from '../protocol.js';
import { emberUrl } from '../source/ember.js';
import { openModel } from '../source/open.js';
import type { ByteSource } from '../source/source.js';
import { fill } from '../source/stream.js';

/** Open the model that a caller named. */
export async function openModelInNode(model: ModelSpec, signal: AbortSignal): Promise<ByteSource> {
  if (model.kind === 'ember') return fileSource(emberUrl());
  if (model.kind === 'url' && model.url.startsWith('file:')) return fileSource(new URL(model.url));
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
    read: (offset, length) =>
      fill(Math.max(0, Math.min(length, size - offset)), async (limit) => {
        const { bytesRead, buffer } = await file.read(new Uint8Array(limit), 0, limit, offset);
        offset += bytesRead;
        return bytesRead === 0 ? undefined : buffer.subarray(0, bytesRead);
      }),
    close: () => void file.close(),
  };
}
