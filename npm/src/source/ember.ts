/** ember, the small model that comes with the package. */

/** Where its file is. Written so that bundlers see it and ship the file along. */
export function emberUrl(): URL {
  return new URL('../../models/ember-q8_0.gguf', import.meta.url);
}
