// Reads a GGUF file as far as a synthetic model needs: numbers among its metadata, and its tensors.

/**
 * @typedef {object} Tensor
 * @property {number[]} dims the length of a row first
 * @property {number} type GGUF's number of it
 * @property {Uint8Array} bytes from its first on; more of the file may follow
 */

/** Bytes of a metadata value of each type; of texts and arrays none. */
const BYTES = [1, 1, 2, 2, 4, 4, 4, 1, undefined, undefined, 8, 8, 8];
const U32 = 4;
const F32 = 6;
const TEXT = 8;
const ARRAY = 9;
const ALIGNMENT = 32;

/**
 * @param {Uint8Array} file
 * @returns {{ numbers: Record<string, number>, tensors: Record<string, Tensor> }}
 */
export function readGguf(file) {
  const view = new DataView(file.buffer, file.byteOffset, file.byteLength);
  // Behind the magic and the version.
  let at = 8;
  const u32 = () => view.getUint32((at += 4) - 4, true);
  const u64 = () => Number(view.getBigUint64((at += 8) - 8, true));
  const text = () => {
    const length = u64();
    return new TextDecoder().decode(file.subarray(at, (at += length)));
  };
  /** @param {number} type */
  const skip = (type) => {
    if (type === TEXT) text();
    else if (type === ARRAY) {
      const element = u32();
      for (let left = u64(); left > 0; left -= 1) skip(element);
    } else at += BYTES[type] ?? Number.NaN;
  };

  const [tensorCount, entryCount] = [u64(), u64()];
  /** @type {Record<string, number>} */
  const numbers = {};
  for (let i = 0; i < entryCount; i += 1) {
    const key = text();
    const type = u32();
    if (type === U32) numbers[key] = u32();
    else if (type === F32) numbers[key] = view.getFloat32((at += 4) - 4, true);
    else skip(type);
  }
  const infos = Array.from({ length: tensorCount }, () => {
    const name = text();
    const dims = Array.from({ length: u32() }, u64);
    return { name, dims, type: u32(), offset: u64() };
  });
  const start = Math.ceil(at / ALIGNMENT) * ALIGNMENT;
  const tensors = infos.map(({ name, dims, type, offset }) => [name, { dims, type, bytes: file.subarray(start + offset) }]);
  return { numbers, tensors: Object.fromEntries(tensors) };
}
