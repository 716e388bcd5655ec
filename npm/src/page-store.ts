/** Pages of keys and values beyond the engine: a file a page, within a budget of bytes. */

import { UnsupportedError } from './errors.js';

/** Where an engine keeps what it computed of conversations, and finds it again, also after the page was closed. */
export interface PageStoreOptions {
  /** In browsers, the name of a folder in the origin's private file system; in Node, a folder's path. */
  readonly folder: string;
  /** Bytes that the folder may grow to, 1 GiB by default. What was used least recently is removed. */
  readonly maxBytes?: number;
}

/** What the WebAssembly module is given. */
export interface PageStore {
  get(name: string): Promise<Uint8Array | undefined>;
  put(name: string, bytes: Uint8Array): Promise<void>;
}

/** The files of a folder. */
export interface PageFiles {
  list(): Promise<{ name: string; bytes: number; modified: number }[]>;
  read(name: string): Promise<Uint8Array | undefined>;
  write(name: string, bytes: Uint8Array): Promise<void>;
  remove(name: string): Promise<void>;
}

/** The names that the engine gives pages: whatever else lies in the folder is left alone. */
const NAME = /^[0-9a-f]{64}$/;

/** A store in files. */
export async function pageStoreIn(files: PageFiles, maxBytes = 2 ** 30): Promise<PageStore> {
  const pages = (await files.list()).filter(({ name }) => NAME.test(name));
  /** Bytes by name, the least recently used first. */
  const used = new Map(pages.sort((a, b) => a.modified - b.modified).map(({ name, bytes }) => [name, bytes]));
  let total = pages.reduce((sum, { bytes }) => sum + bytes, 0);
  const forget = (name: string) => {
    total -= used.get(name) ?? 0;
    used.delete(name);
  };
  const keep = async (name: string, bytes: number) => {
    forget(name);
    used.set(name, bytes);
    total += bytes;
    for (const oldest of used.keys()) {
      if (total <= maxBytes) break;
      forget(oldest);
      await files.remove(oldest);
    }
  };
  return {
    async get(name) {
      const page = await files.read(name);
      if (page === undefined) forget(name);
      else await keep(name, page.length);
      return page;
    },
    async put(name, bytes) {
      if (bytes.length > maxBytes) return;
      await files.write(name, bytes);
      await keep(name, bytes.length);
    },
  };
}

/** A file that may be written at once, as they are in dedicated workers. */
interface WorkerFile {
  createSyncAccessHandle?(): Promise<{ truncate(size: number): void; write(bytes: Uint8Array): void; close(): void }>;
}

/** A store in the origin's private file system. */
export async function openPageStore({ folder, maxBytes }: PageStoreOptions): Promise<PageStore> {
  if (navigator.storage?.getDirectory === undefined) {
    throw new UnsupportedError('This page has no private file system to keep pages in. Leave `pageStore` out.');
  }
  const root = await navigator.storage.getDirectory();
  const directory = await root.getDirectoryHandle(folder, { create: true });
  const files: PageFiles = {
    async list() {
      const found = [];
      for await (const [name, handle] of directory.entries()) {
        if (!('getFile' in handle)) continue;
        const { size, lastModified } = await (handle as FileSystemFileHandle).getFile();
        found.push({ name, bytes: size, modified: lastModified });
      }
      return found;
    },
    async read(name) {
      const handle = await directory.getFileHandle(name).catch(() => undefined);
      return handle && new Uint8Array(await (await handle.getFile()).arrayBuffer());
    },
    async write(name, bytes) {
      const handle: FileSystemFileHandle & WorkerFile = await directory.getFileHandle(name, { create: true });
      // Safari has only this, and pages only the other.
      const access = await handle.createSyncAccessHandle?.();
      if (access === undefined) {
        const writable = await handle.createWritable();
        await writable.write(bytes as Uint8Array<ArrayBuffer>);
        return writable.close();
      }
      try {
        access.truncate(0);
        access.write(bytes);
      } finally {
        access.close();
      }
    },
    remove: (name) => directory.removeEntry(name).catch(() => undefined),
  };
  return pageStoreIn(files, maxBytes);
}
