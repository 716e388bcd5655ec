// TQ2_0: a superblock is 8 groups of 32 two-bit numbers around 1, and an f16 scale; two scales a word.
const OFFSET = false;

fn chunk(index: u32) -> Chunk {
    let d = half_of(weight_scales[index >> 4u], (index >> 3u) & 1u);
    return chunk_of(less(first_two_bits(index), 1u), less(last_two_bits(index), 1u), vec2<f32>(d), 0.0);
}
