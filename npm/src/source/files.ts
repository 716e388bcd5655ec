/** Models of several files: the parts of a GGUF file beside each other, and folders as Hugging Face keeps them. */

import type { ModelSpec } from '../protocol.js';
import { blobSource } from './blob.js';
import { httpSource, MissingFileError } from './http.js';
import type { ByteSource } from './source.js';

/** Files beside each other. */
export interface ModelFiles {
  /** Their names, where they are known; those in folders begin with the folder's. */
  readonly names?: readonly string[] | undefined;
  /** The one that was named, if one was. */
  readonly first?: string | undefined;
  /** The file of that name; nothing where there is none. */
  open(name: string): Promise<ByteSource | undefined>;
}

/**
 * The files of a model that is not one file; nothing of one that is.
 *
 * @param exact ask servers for no more than is read
 */
export async function openFiles(model: ModelSpec, signal: AbortSignal, exact = false): Promise<ModelFiles | undefined> {
  if (model.kind === 'files') return blobFiles(model.files);
  if (model.kind !== 'url') return undefined;
  const first = nameIn(model.url);
  if (first !== '' && !isPart(first)) return undefined;
  return {
    ...(first !== '' && { first }),
    async open(name) {
      try {
        return await httpSource(beside(model.url, name), { headers: model.headers, signal, exact });
      } catch (error) {
        if (error instanceof MissingFileError) return undefined;
        throw error;
      }
    },
  };
}

/** One file as the only one there is. */
export function onlyFile(source: ByteSource): ModelFiles {
  return { names: ['model.gguf'], open: async () => source };
}

function blobFiles(files: readonly { readonly name: string; readonly blob: Blob }[]): ModelFiles {
  const byName = new Map(files.map(({ name, blob }) => [name, blob]));
  return {
    names: [...byName.keys()],
    async open(name) {
      const blob = byName.get(name);
      return blob && blobSource(blob);
    },
  };
}

/** The last part of a URL's path. */
export function nameIn(url: string): string {
  const name = new URL(url).pathname.split('/').at(-1) ?? '';
  try {
    return decodeURIComponent(name);
  } catch {
    return name;
  }
}

/** Whether a file is called as one of several parts. */
export function isPart(name: string): boolean {
  return /-\d{5}-of-(?!0000[01])\d{5}\.gguf$/.test(name);
}

/** The URL of a file beside another, asked for in the same way. */
export function beside(url: string, name: string): string {
  const other = new URL(name.split('/').map(encodeURIComponent).join('/'), url);
  other.search = new URL(url).search;
  return other.href;
}
