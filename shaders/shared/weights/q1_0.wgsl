// Q1_0: a block is 128 signs, set bits being 1 and others -1, and an f16 scale; two scales a word.
const OFFSET = false;

fn chunk(index: u32) -> Chunk {
    let bits = weight_quants[index];
    let d = half_of(weight_scales[index >> 3u], (index >> 2u) & 1u);
    let low = vec4<u32>(spread_bits(bits), spread_bits(bits >> 4u), spread_bits(bits >> 8u), spread_bits(bits >> 12u));
    let high = vec4<u32>(
        spread_bits(bits >> 16u), spread_bits(bits >> 20u), spread_bits(bits >> 24u), spread_bits(bits >> 28u),
    );
    return chunk_of(less(low * 2u, 1u), less(high * 2u, 1u), vec2<f32>(d), 0.0);
}
