// Q2_0: a block is 64 two-bit numbers around 1, low bits first, and an f16 scale; two scales a word.
const OFFSET = false;

fn sixteen(word: u32) -> vec4<u32> {
    return less(vec4<u32>(spread_pairs(word), spread_pairs(word >> 8u), spread_pairs(word >> 16u), spread_pairs(word >> 24u)), 1u);
}

fn chunk(index: u32) -> Chunk {
    let d = half_of(weight_scales[index >> 2u], (index >> 1u) & 1u);
    return chunk_of(sixteen(weight_quants[index * 2u]), sixteen(weight_quants[index * 2u + 1u]), vec2<f32>(d), 0.0);
}
