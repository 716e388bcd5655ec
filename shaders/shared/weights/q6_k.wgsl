// Q6_K: a superblock is two halves of 128 numbers around 32. 64 bytes of a half hold four groups of 32: low nibbles of the first
// and last 32 bytes, then their high nibbles; 32 bytes of the high plane hold the two upper bits of each group in turn.
// Sixteen numbers share a signed byte of scale; the fifth word of a superblock's scales holds d.
const OFFSET = false;

// Numbers stand in the upper six bits of their bytes, so that the two upper bits need no right shift; its top bit turned, such a byte is
// signed and is 4 * (number - 32).
fn six_bits(nibbles: vec4<u32>, pairs: vec4<u32>) -> vec4<u32> {
    return ((nibbles & vec4<u32>(0x3c3c3c3cu)) | (pairs & vec4<u32>(0xc0c0c0c0u))) ^ vec4<u32>(0x80808080u);
}

// A signed byte at the top of a word, in f32.
fn top_byte(word: u32) -> f32 {
    return f32(bitcast<i32>(word & 0xff000000u)) * 0x1p-24;
}

fn chunk(index: u32) -> Chunk {
    let half = index >> 2u;  // counted through the matrix
    let at = half * 4u + (index & 1u) * 2u;
    let at_s = (half >> 1u) * 5u;
    let last_groups = (index & 2u) == 2u;
    var low = weight_quants[at];
    var high = weight_quants[at + 1u];
    if last_groups {
        low >>= vec4<u32>(2u);
        high >>= vec4<u32>(2u);
    } else {
        low *= 4u;
        high *= 4u;
    }
    let up = 64u >> (2u * (index & 3u));
    let scales = weight_scales[at_s + (half & 1u) * 2u + select(0u, 1u, last_groups)] * select(1u, 0x10000u, (index & 1u) == 0u);
    let d = half_of(weight_scales[at_s + 4u], 0u) * 0.25;
    return chunk_of(
        six_bits(low, weight_high_bits[half * 2u] * up), six_bits(high, weight_high_bits[half * 2u + 1u] * up),
        d * vec2<f32>(top_byte(scales * 0x100u), top_byte(scales)), 0.0,
    );
}
