// Q3_K: a superblock is 8 groups of 32 three-bit numbers around 4; bit j of byte l of the high plane is the third bit of number l of group j.
// Sixteen numbers share a scale of six bits around 32. Two words have the low nibbles of the first eight scales, and in high nibbles those of
// the last eight; a third has two bits of each fourth scale in a byte; a fourth has d.
const OFFSET = false;

fn chunk(index: u32) -> Chunk {
    let group = index & 7u;
    let third = vec4<u32>(group);
    let at_h = (index >> 3u) * 2u;
    let first = first_two_bits(index) | (((weight_high_bits[at_h] >> third) & vec4<u32>(ONES)) << vec4<u32>(2u));
    let last = last_two_bits(index) | (((weight_high_bits[at_h + 1u] >> third) & vec4<u32>(ONES)) << vec4<u32>(2u));
    let s = weight_scales[index >> 3u];
    let at = 16u * (group & 1u);
    let low = select(s.x, s.y, (group & 2u) == 2u) >> (at + 4u * (group >> 2u));
    let high = s.z >> (at + 2u * (group >> 1u));
    let scales = (low & 0x0f0fu) | ((high & 0x0303u) << 4u);
    let d = half_of(s.w, 0u);
    return chunk_of(
        less(first, 4u), less(last, 4u),
        d * (vec2<f32>(f32(scales & 0xffu), f32(scales >> 8u)) - 32.0), 0.0,
    );
}
