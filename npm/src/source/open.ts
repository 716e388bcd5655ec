/** From a model's description to its bytes, wherever `fetch` reaches. */

import { InternalError } from '../errors.js';
import type { ModelSpec } from '../protocol.js';
import { blobSource } from './blob.js';
import { httpSource } from './http.js';
import { portStream } from './port-stream.js';
import type { ByteSource } from './source.js';
import { streamSource } from './stream.js';

/**
 * Open the model that a caller named, of one file.
 *
 * @param exact ask servers for no more than is read
 */
export async function openModel(model: ModelSpec, signal: AbortSignal, exact = false): Promise<ByteSource> {
  switch (model.kind) {
    case 'ember':
      return httpSource(model.url, { signal, exact });
    case 'url':
      return httpSource(model.url, { headers: model.headers, signal, exact });
    case 'blob':
      return blobSource(model.blob);
    case 'stream':
      return streamSource(portStream(model.port), model.size);
    case 'files':
      throw new InternalError('Several files were opened as one.');
  }
}
