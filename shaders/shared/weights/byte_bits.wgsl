// Numbers in the bytes of words, four at a time.
const ONES = 0x01010101u;
const HIGHEST = 0x80808080u;

// Bytes less `by`, signed; both are below 128. No byte borrows from the next.
fn less(bytes: vec4<u32>, by: u32) -> vec4<u32> {
    return (bytes + vec4<u32>(HIGHEST - by * ONES)) ^ vec4<u32>(HIGHEST);
}

// Each of the lowest four bits in a byte of its own: the product puts neighbours 7 places further apart.
fn spread_bits(bits: u32) -> u32 {
    return ((bits & 15u) * 0x00204081u) & ONES;
}

// Each of the lowest four pairs of bits in a byte of its own.
fn spread_pairs(bits: u32) -> u32 {
    let byte = bits & 0xffu;
    return (byte | (byte << 6u) | (byte << 12u) | (byte << 18u)) & 0x03030303u;
}

// Byte `number` of a word.
fn byte_of(word: u32, number: u32) -> u32 {
    return (word >> (8u * number)) & 0xffu;
}
