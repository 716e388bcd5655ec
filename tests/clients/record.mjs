/** Records what clients send: `npm ci && npm run record`, with Node 22 or later. See README.md. */

import { existsSync, mkdirSync, readFileSync, writeFileSync } from 'node:fs';
import { serve } from './server.mjs';

const CLIENTS = ['openai', 'langchain', 'ai-sdk'];

for (const client of CLIENTS) {
  const { packages, cases } = await import(`./${client}.mjs`);
  const folder = new URL(`${client}/`, import.meta.url);
  mkdirSync(folder, { recursive: true });
  for (const [name, call] of Object.entries(cases)) {
    await serve(async (url, bodies) => {
      await call(url);
      const file = new URL(`${name}.json`, folder);
      // What is expected is written by hand, and stays.
      const { expected } = existsSync(file) ? JSON.parse(readFileSync(file, 'utf8')) : {};
      // A loop's last request has all turns before it.
      const recorded = { client: packages.map(version).join(', '), body: bodies.at(-1), expected };
      writeFileSync(file, `${JSON.stringify(recorded, null, 2)}\n`);
    });
  }
}

function version(name) {
  const manifest = new URL(`node_modules/${name}/package.json`, import.meta.url);
  return `${name} ${JSON.parse(readFileSync(manifest, 'utf8')).version}`;
}
