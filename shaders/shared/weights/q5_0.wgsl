// Q5_0: a block is 32 nibbles, their fifth bits (one word) around 16, and an f16 scale; two scales a word.
const OFFSET = true;

fn chunk(index: u32) -> Chunk {
    let q = weights_q[index];
    let h = weights_h[index];
    let d = half_of(weights_s[index / 2u], index % 2u);
    return chunk_of(low_nibbles(q) | fifth_bits(h), high_nibbles(q) | fifth_bits(h >> 16u), vec2<f32>(d), -16.0 * d);
}
