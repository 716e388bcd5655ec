/** A Vite plugin: a service worker that keeps the built page, its engine and ember, so that a second visit needs no network. */

import { createHash } from 'node:crypto';
import { readdirSync, readFileSync } from 'node:fs';
import type { Plugin } from 'vite';

const PUBLIC = new URL('public/', import.meta.url);

/** Emits `offline.js`, which knows the names of all built files. */
export function offline(): Plugin {
  return {
    name: 'offline',
    apply: 'build',
    enforce: 'post',
    generateBundle(_, bundle) {
      const fixed = readdirSync(PUBLIC);
      // The grammar module is fetched by whoever needs it, and this page never does.
      const built = Object.keys(bundle).filter((name) => name !== 'index.html' && !name.includes('grammar'));
      const files = ['./', ...[...fixed, ...built].map((name) => `./${name}`)];
      // Built files carry a hash in their names; of the others the contents tell one version from another.
      const hash = createHash('sha256').update(files.join());
      for (const name of fixed) hash.update(readFileSync(new URL(name, PUBLIC)));
      const source = serviceWorker(files, hash.digest('hex').slice(0, 12));
      this.emitFile({ type: 'asset', fileName: 'offline.js', source });
    },
  };
}

function serviceWorker(files: readonly string[], version: string): string {
  return `const CACHE = 'inglenook-${version}';
const FILES = ${JSON.stringify(files, null, 2)};

addEventListener('install', (event) => {
  event.waitUntil(caches.open(CACHE).then((cache) => cache.addAll(FILES)));
});

addEventListener('activate', (event) => {
  const stale = (names) => names.filter((name) => name.startsWith('inglenook-') && name !== CACHE);
  event.waitUntil(caches.keys().then((names) => Promise.all(stale(names).map((name) => caches.delete(name)))));
});

// Whole built files only: what the user loads from elsewhere is not this cache's business.
addEventListener('fetch', (event) => {
  if (event.request.method !== 'GET') return;
  const page = event.request.mode === 'navigate';
  event.respondWith(
    caches.open(CACHE).then(async (cache) => {
      const kept = await cache.match(page ? './' : event.request.url);
      if (!page) return kept ?? fetch(event.request);
      // The page itself may have a newer version.
      return fetch(event.request).catch((error) => kept ?? Promise.reject(error));
    }),
  );
});
`;
}
