/** Whether the processor multiplies bytes: a relaxed instruction of WebAssembly is one instruction there, and several elsewhere. */

/**
 * Two functions, each of which multiplies vectors by `i32x4.relaxed_dot_i8x16_i7x16_add_s` and gives a lane of the sums.
 *
 * The second operand has all of its bits set that the standard wants clear, so that the sums tell how they were made.
 */
const MODULE = wasm([127, 255], [128, 128]);

/** What they give where bytes of the second operand are unsigned, and no sum of two is cut off: `vpdpbusd`. */
const UNSIGNED = 4 * 127 * 255;
/** Where bytes are signed: `sdot`, `vpdpbssd`. */
const SIGNED = [4 * 127 * -1, 4 * 128 * 128];

/** Whether relaxed vectors are there, and products of bytes are one instruction. */
export function multipliesBytes(): boolean {
  try {
    const { exports } = new WebAssembly.Instance(new WebAssembly.Module(MODULE));
    const { first, second } = exports as Record<string, () => number>;
    return isOneInstruction(first?.(), second?.());
  } catch {
    return false;
  }
}

/** Whether these are sums that one instruction makes. @internal */
export function isOneInstruction(first: number | undefined, second: number | undefined): boolean {
  return first === UNSIGNED || (first === SIGNED[0] && second === SIGNED[1]);
}

/** A module with the functions `first` and `second`, which multiply a vector of the first byte by one of the second. */
function wasm(...operands: [number, number][]): Uint8Array<ArrayBuffer> {
  const splat = (byte: number) => [0xfd, 0x0c, ...Array(16).fill(byte)];
  const functions = operands.map(([a, b]) => {
    const sums = [...splat(a), ...splat(b), ...splat(0), 0xfd, 0x93, 0x02];
    const body = [0, ...sums, 0xfd, 0x1b, 0, 0x0b];
    return [body.length, ...body];
  });
  const section = (id: number, items: number[][]) => {
    const content = [items.length, ...items.flat()];
    // A length of seven bits in each byte.
    return [id, (content.length & 127) | 128, content.length >> 7, ...content];
  };
  const named = (name: string, index: number) => [name.length, ...new TextEncoder().encode(name), 0, index];
  return new Uint8Array([
    ...[0x00, 0x61, 0x73, 0x6d, 1, 0, 0, 0],
    ...section(1, [[0x60, 0, 1, 0x7f]]),
    ...section(3, [[0], [0]]),
    ...section(7, [named('first', 0), named('second', 1)]),
    ...section(10, functions),
  ]);
}
