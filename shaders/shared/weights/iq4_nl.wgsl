// IQ4_NL: a block is 32 nibbles that stand for values, and an f16 scale; two scales a word.
const OFFSET = false;

fn chunk(index: u32) -> Chunk {
    return chunk_of_values(weight_quants[index], half_of(weight_scales[index >> 1u], index & 1u));
}
