// Q5_K: as Q4_K, and bit j of byte l of the high plane is the fifth bit of number l of group j.
const OFFSET = true;

// Numbers stand in the upper five bits of their bytes, so that the fifth bit needs no right shift; its top bit turned, such a byte is
// signed and is 8 * (number - 16).
fn five_bits(nibbles: vec4<u32>, high: vec4<u32>) -> vec4<u32> {
    return ((nibbles & vec4<u32>(0x78787878u)) | (high & vec4<u32>(0x80808080u))) ^ vec4<u32>(0x80808080u);
}

fn chunk(index: u32) -> Chunk {
    let at = index & ~1u;
    let at_h = (index >> 3u) * 2u;
    var low = weight_quants[at];
    var high = weight_quants[at + 1u];
    if (index & 1u) == 0u {
        low *= 8u;
        high *= 8u;
    } else {
        low >>= vec4<u32>(1u);
        high >>= vec4<u32>(1u);
    }
    let up = 0x80u >> (index & 7u);
    let s = group_scale(weight_scales[index >> 3u], index & 7u);
    return chunk_of(
        five_bits(low, weight_high_bits[at_h] * up), five_bits(high, weight_high_bits[at_h + 1u] * up),
        s.xx * 0.125, s.y + 16.0 * s.x,
    );
}
