// Q5_1: a block is 32 nibbles, their fifth bits (one word), an f16 scale and an f16 minimum (one word).
const OFFSET = true;
const LOW_NIBBLES = vec4<u32>(0x0f0f0f0fu);

fn chunk(index: u32) -> Chunk {
    let q = weight_quants[index];
    let h = weight_high_bits[index];
    let s = unpack2x16float(weight_scales[index]);
    return chunk_of((q & LOW_NIBBLES) | fifth_bits(h), ((q >> vec4<u32>(4u)) & LOW_NIBBLES) | fifth_bits(h >> 16u), s.xx, s.y);
}
