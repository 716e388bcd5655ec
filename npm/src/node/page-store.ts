/** Pages of keys and values in a folder on disk. */

import { mkdir, readdir, readFile, rename, rm, stat, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { type PageFiles, type PageStore, type PageStoreOptions, pageStoreIn } from '../page-store.js';

/** A store in a folder, which is made where there is none. */
export async function openPageStoreInNode({ folder, maxBytes }: PageStoreOptions): Promise<PageStore> {
  await mkdir(folder, { recursive: true });
  const files: PageFiles = {
    async list() {
      const names = await readdir(folder);
      const facts = names.map(async (name) => {
        const { size, mtimeMs } = await stat(join(folder, name));
        return { name, bytes: size, modified: mtimeMs };
      });
      return (await Promise.allSettled(facts)).flatMap((of) => (of.status === 'fulfilled' ? of.value : []));
    },
    read: (name) => readFile(join(folder, name)).catch(() => undefined),
    async write(name, bytes) {
      // Beside it at first, so that nobody reads half of a page.
      const part = join(folder, `${name}-${process.pid}`);
      await writeFile(part, bytes);
      await rename(part, join(folder, name));
    },
    remove: (name) => rm(join(folder, name), { force: true }),
  };
  return pageStoreIn(files, maxBytes);
}
