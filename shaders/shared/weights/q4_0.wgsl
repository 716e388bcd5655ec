// Q4_0: a block is 32 nibbles around 8 and an f16 scale; two scales a word.
const OFFSET = true;

fn chunk(index: u32) -> Chunk {
    let q = weight_quants[index];
    let d = half_of(weight_scales[index >> 1u], index & 1u);
    return chunk_of(q, q, vec2<f32>(d), -8.0 * d);
}
