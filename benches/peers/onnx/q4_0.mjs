// Blocks of Q4_0: 32 weights, a scale as f16 and 16 bytes with two weights each.

export const BLOCK = 32;
const BLOCK_BYTES = 18;

/**
 * Q4_0 has weights 0 to 15 of a block in the low halves of its bytes and 16 to 31 in the high ones; MatMulNBits has neighbours in a byte.
 * @param {Uint8Array} bytes
 * @param {number} blocks
 */
export function repack(bytes, blocks) {
  const quants = new Uint8Array((blocks * BLOCK) / 2);
  const scales = new Float32Array(blocks);
  for (let block = 0; block < blocks; block += 1) {
    const [at, to] = [block * BLOCK_BYTES, block * 16];
    scales[block] = scale(bytes, at);
    for (let pair = 0; pair < 8; pair += 1) {
      const [even = 0, odd = 0] = bytes.subarray(at + 2 + 2 * pair);
      quants[to + pair] = (even & 15) | ((odd & 15) << 4);
      quants[to + 8 + pair] = (even >> 4) | (odd & 0xf0);
    }
  }
  return { quants, scales };
}

/**
 * @param {Uint8Array} bytes
 * @param {number} blocks
 */
export function dequantise(bytes, blocks) {
  const floats = new Float32Array(blocks * BLOCK);
  for (let block = 0; block < blocks; block += 1) {
    const [at, to] = [block * BLOCK_BYTES, block * BLOCK];
    const factor = scale(bytes, at);
    for (let i = 0; i < 16; i += 1) {
      const byte = bytes[at + 2 + i] ?? 0;
      floats[to + i] = ((byte & 15) - 8) * factor;
      floats[to + 16 + i] = ((byte >> 4) - 8) * factor;
    }
  }
  return floats;
}

/**
 * An f16 of a block of random weights, which is a normal number.
 * @param {Uint8Array} bytes
 * @param {number} at
 */
function scale(bytes, at) {
  const half = (bytes[at] ?? 0) | ((bytes[at + 1] ?? 0) << 8);
  const magnitude = (1 + (half & 1023) / 1024) * 2 ** (((half >> 10) & 31) - 15);
  return half & 0x8000 ? -magnitude : magnitude;
}
