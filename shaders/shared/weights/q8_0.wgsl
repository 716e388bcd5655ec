// Q8_0: a block is 32 signed bytes and an f16 scale; two scales a word.
const OFFSET = false;

fn chunk(index: u32) -> Chunk {
    let d = half_of(weight_scales[index >> 1u], index & 1u);
    return chunk_of(weight_quants[index * 2u], weight_quants[index * 2u + 1u], vec2<f32>(d), 0.0);
}
