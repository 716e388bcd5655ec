// Q4_1: a block is 32 nibbles, an f16 scale and an f16 minimum (one word).
const OFFSET = true;

fn chunk(index: u32) -> Chunk {
    let q = weight_quants[index];
    let s = unpack2x16float(weight_scales[index]);
    return chunk_of(q, q, s.xx, s.y);
}
