// Q5_1: a block is 32 nibbles, their fifth bits (one word), an f16 scale and an f16 minimum (one word).
const OFFSET = true;

fn chunk(index: u32) -> Chunk {
    let q = weights_q[index];
    let h = weights_h[index];
    let s = unpack2x16float(weights_s[index]);
    return chunk_of(low_nibbles(q) | fifth_bits(h), high_nibbles(q) | fifth_bits(h >> 16u), s.xx, s.y);
}
