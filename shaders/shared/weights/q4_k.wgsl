// Q4_K: a superblock is 8 groups of 32 nibbles; each 32 bytes hold two groups, low nibbles and high.
const OFFSET = true;
const LOW_SPREAD = HIGH_NIBBLE_SPREAD;
const HIGH_SPREAD = HIGH_NIBBLE_SPREAD;

fn low_numbers(word: Word) -> vec4<f32> {
    return high_nibbles(word);
}

fn high_numbers(word: Word) -> vec4<f32> {
    return high_nibbles(word);
}

fn low_bytes(word: Word) -> u32 {
    return (word >> 4u) & 0x0f0f0f0fu;
}

fn high_bytes(word: Word) -> u32 {
    return low_bytes(word);
}

// Low nibbles are moved to where the high ones are.
fn chunk(index: u32) -> Chunk {
    let at = index & ~1u;
    let up = vec4<u32>(select(16u, 1u, (index & 1u) == 1u));
    let s = group_scale(weight_scales[index >> 3u], index & 7u);
    return chunk_of(weight_quants[at] * up, weight_quants[at + 1u] * up, s.xx, s.y);
}
