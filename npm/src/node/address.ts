/** Models named by strings, which here are paths as well as URLs. */

import { homedir } from 'node:os';
import { pathToFileURL } from 'node:url';

/** A scheme of one letter is a drive of Windows; other schemes than these have no files. */
const URL_LIKE = /^(?:[a-z][a-z\d+.-]+:\/\/|(?:file|data|blob):)/i;

/** The URL of what a string names: a path as a shell takes it, from the working directory, whatever characters are in it. */
export function addressOf(model: string): string {
  if (model === 'ember' || URL_LIKE.test(model)) return model;
  return pathToFileURL(model.replace(/^~(?=[/\\]|$)/, () => homedir())).href;
}
