/** Copies ember, the model that ships with the package, from where it is trained to where it is packed. */

import { copyFileSync, existsSync, mkdirSync } from 'node:fs';

const NAME = 'ember-q8_0.gguf';
const from = new URL(`../../models/ember/${NAME}`, import.meta.url);
const to = new URL('../models/', import.meta.url);

if (!existsSync(from)) {
  throw new Error(`models/ember/${NAME} is missing: it is part of the repository, so check the checkout.`);
}
mkdirSync(to, { recursive: true });
copyFileSync(from, new URL(NAME, to));
