// Q6_K: a superblock is two halves of 128 numbers around 32. 64 bytes of a half hold four groups of 32: low nibbles of the first
// and last 32 bytes, then their high nibbles; 32 bytes of the high plane hold the two upper bits of each group in turn.
// Sixteen numbers share a signed byte of scale; the fifth word of a superblock's scales holds d.
const OFFSET = false;

fn signed_byte(word: u32, number: u32) -> f32 {
    return f32(bitcast<i32>(word << (24u - 8u * number)) >> 24u);
}

// 32 less in every byte, as signed bytes: the top bit is set first, so that no byte borrows from the next.
fn minus_32(numbers: vec4<u32>) -> vec4<u32> {
    return ((numbers | vec4<u32>(0x80808080u)) - vec4<u32>(0x20202020u)) ^ vec4<u32>(0x80808080u);
}

fn chunk(index: u32) -> Chunk {
    let superblock = index / 8u;
    let half = (index / 4u) % 2u;
    let group = index % 4u;
    let at = superblock * 8u + half * 4u + (group % 2u) * 2u;
    let at_h = superblock * 4u + half * 2u;
    let shift = vec4<u32>(4u * (group / 2u));
    let shift_h = vec4<u32>(2u * group);
    let pair = vec4<u32>(0x03030303u);
    let at_s = superblock * 5u;
    let d = half_of(weights_s[at_s + 4u], 0u);
    let scales = weights_s[at_s + half * 2u + group / 2u];
    let first = 2u * (group % 2u);
    let scale = d * vec2<f32>(signed_byte(scales, first), signed_byte(scales, first + 1u));
    return chunk_of(
        minus_32(((weights_q[at] >> shift) & LOW_NIBBLES) | (((weights_h[at_h] >> shift_h) & pair) << vec4<u32>(4u))),
        minus_32(((weights_q[at + 1u] >> shift) & LOW_NIBBLES) | (((weights_h[at_h + 1u] >> shift_h) & pair) << vec4<u32>(4u))),
        scale, 0.0,
    );
}
