// Q4_K: a superblock is 8 groups of 32 nibbles; each 32 bytes hold two groups, low nibbles and high.
const OFFSET = true;

fn bytes(index: u32) -> Bytes {
    let j = index % 8u;
    let at = (index / 2u) * 2u;
    let shift = vec4<u32>(4u * (j % 2u));
    let s = group_scale(weights_s[index / 8u], j);
    return Bytes((weights_q[at] >> shift) & LOW_NIBBLES, (weights_q[at + 1u] >> shift) & LOW_NIBBLES, s.xx, s.y);
}
