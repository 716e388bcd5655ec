// MXFP4: a block is 32 floats of four bits, and the exponent of a power of two; four exponents a word. Numbers are doubled, so the power is
// halved; the least two, which f32 has below its normal numbers, are 0 here.
const OFFSET = false;

fn chunk(index: u32) -> Chunk {
    let exponent = byte_of(weight_scales[index >> 2u], index & 3u);
    return chunk_of_values(weight_quants[index], bitcast<f32>((max(exponent, 1u) - 1u) << 23u));
}
