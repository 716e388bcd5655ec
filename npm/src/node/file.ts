/** Model files on disk, beside all that browsers can open too. */

import { type FileHandle, open, readdir, stat } from 'node:fs/promises';
import { join } from 'node:path';
import { fileURLToPath, pathToFileURL } from 'node:url';
import { BadFileError } from '../errors.js';
import type { ModelSpec } from '../protocol.js';
import { beside, isPart, type ModelFiles, nameIn, openFiles } from '../source/files.js';
import { openModel } from '../source/open.js';
import type { ByteSource } from '../source/source.js';

/** Open the model that a caller named, of one file. */
export async function openModelInNode(model: ModelSpec, signal: AbortSignal, exact = false): Promise<ByteSource> {
  if ('url' in model && model.url.startsWith('file:')) return fileSource(new URL(model.url));
  return openModel(model, signal, exact);
}

/** The files of a model that is not one file; nothing of one that is. */
export async function openFilesInNode(
  model: ModelSpec,
  signal: AbortSignal,
  exact = false,
): Promise<ModelFiles | undefined> {
  if (model.kind !== 'url' || !model.url.startsWith('file:')) return openFiles(model, signal, exact);
  const path = await folderOf(model.url);
  if (path !== undefined) {
    const names = await readdir(path);
    return { names, open: (name) => openIfThere(pathToFileURL(join(path, name))) };
  }
  const first = nameIn(model.url);
  if (!isPart(first)) return undefined;
  return { first, open: (name) => openIfThere(new URL(beside(model.url, name))) };
}

/** The path of a folder; nothing of anything else. */
async function folderOf(url: string): Promise<string | undefined> {
  try {
    const path = fileURLToPath(url);
    return (await stat(path)).isDirectory() ? path : undefined;
  } catch {
    // Whoever opens it as a file says why.
    return undefined;
  }
}

async function openIfThere(url: URL): Promise<ByteSource | undefined> {
  const there = await stat(url).then(
    () => true,
    (error: { code?: string }) => error.code !== 'ENOENT' && error.code !== 'ENOTDIR',
  );
  return there ? fileSource(url) : undefined;
}

async function fileSource(url: URL): Promise<ByteSource> {
  const { file, size } = await openFile(url);
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

async function openFile(url: URL): Promise<{ file: FileHandle; size: number }> {
  let path = url.href;
  try {
    path = fileURLToPath(url);
    // Looked at first, since opening a pipe waits for whoever writes to it.
    const about = await stat(path);
    if (about.isFile()) return { file: await open(path), size: about.size };
    if (about.isDirectory()) throw new BadFileError(`${path} is a folder. Name the .gguf file in it.`);
    throw new BadFileError(`${path} is no regular file. Copy it to one, or pass a stream of it.`);
  } catch (cause) {
    if (cause instanceof BadFileError) throw cause;
    const cut = url.hash || url.search;
    const hint =
      cut === ''
        ? ''
        : ` What follows from "${cut.charAt(0)}" on is no part of the path unless it is written as %${cut.charCodeAt(0).toString(16).toUpperCase()}.`;
    throw new BadFileError(`${path} cannot be opened (${String(cause)}). Check the path.${hint}`, { cause });
  }
}
