// Q4_K: a superblock is 8 groups of 32 nibbles; each 32 bytes hold two groups, low nibbles and high.
const OFFSET = true;

fn chunk(index: u32) -> Chunk {
    let j = index % 8u;
    let at = (index / 2u) * 2u;
    let shift = vec4<u32>(4u * (j % 2u));
    let s = group_scale(weights_s[index / 8u], j);
    return chunk_of(weights_q[at] >> shift, weights_q[at + 1u] >> shift, s.xx, s.y);
}
