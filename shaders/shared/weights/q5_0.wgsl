// Q5_0: a block is 32 nibbles, their fifth bits (one word) around 16, and an f16 scale; two scales a word.
const OFFSET = true;
const LOW_NIBBLES = vec4<u32>(0x0f0f0f0fu);

fn chunk(index: u32) -> Chunk {
    let q = weight_quants[index];
    let h = weight_high_bits[index];
    let d = half_of(weight_scales[index >> 1u], index & 1u);
    return chunk_of((q & LOW_NIBBLES) | fifth_bits(h), ((q >> vec4<u32>(4u)) & LOW_NIBBLES) | fifth_bits(h >> 16u), vec2<f32>(d), -16.0 * d);
}
