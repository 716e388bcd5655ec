// Q5_K: as Q4_K, and bit j of byte l of the high plane is the fifth bit of number l of group j.
const OFFSET = true;

fn chunk(index: u32) -> Chunk {
    let j = index % 8u;
    let at = (index / 2u) * 2u;
    let at_h = (index / 8u) * 2u;
    let shift = vec4<u32>(4u * (j % 2u));
    let bit = vec4<u32>(0x01010101u);
    let s = group_scale(weights_s[index / 8u], j);
    return chunk_of(
        ((weights_q[at] >> shift) & LOW_NIBBLES) | (((weights_h[at_h] >> vec4<u32>(j)) & bit) << vec4<u32>(4u)),
        ((weights_q[at + 1u] >> shift) & LOW_NIBBLES) | (((weights_h[at_h + 1u] >> vec4<u32>(j)) & bit) << vec4<u32>(4u)),
        s.xx, s.y,
    );
}
