/** From a model's description to its bytes, wherever `fetch` reaches. */

import type { ModelSpec } from '../protocol.js';
import { blobSource } from './blob.js';
import { httpSource } from './http.js';
import { portStream } from './port-stream.js';
import type { ByteSource } from './source.js';
import { streamSource } from './stream.js';

/** Open the model that a caller named. */
export async function openModel(model: ModelSpec, signal: AbortSignal): Promise<ByteSource> {
  switch (model.kind) {
    case 'ember':
      return httpSource(model.url, { signal });
    case 'url':
      return httpSource(model.url, { headers: model.headers, signal });
    case 'blob':
      return blobSource(model.blob);
    case 'stream':
      return streamSource(portStream(model.port), model.size);
  }
}
