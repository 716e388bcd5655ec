// IQ4_XS: a superblock is 8 groups of 32 nibbles that stand for values. Of two words of scales the first has d and, for each group, two high
// bits of its scale; the second has the low four.
const OFFSET = false;

fn chunk(index: u32) -> Chunk {
    let at = (index >> 3u) * 2u;
    let group = index & 7u;
    let first = weight_scales[at];
    let scale = ((weight_scales[at + 1u] >> (4u * group)) & 15u) | (((first >> (16u + 2u * group)) & 3u) << 4u);
    return chunk_of_values(weight_quants[index], half_of(first, 0u) * (f32(scale) - 32.0));
}
