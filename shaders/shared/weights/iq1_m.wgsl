// IQ1_M: a superblock is 8 groups of four eights. A group has a word of entries of the list, a byte each. The plane of high bits has a nibble
// for each eight: three more bits of the entry, and whether weights are an eighth less or more. Two words of scales have three bits for each two
// eights, four of these in 16 bits, and a nibble of d above them.
const OFFSET = false;

fn eight(byte: u32, nibble: u32) -> vec2<u32> {
    return shifted_eight(byte | ((nibble & 7u) << 8u), nibble >> 3u);
}

fn chunk(index: u32) -> Chunk {
    let low = weight_quants[index];
    let high = weight_high_bits[index >> 1u] >> (16u * (index & 1u));
    let group = index & 7u;
    let at = (index >> 3u) * 2u;
    let a = weight_scales[at];
    let b = weight_scales[at + 1u];
    let d = half_of(((a >> 12u) & 0xfu) | ((a >> 24u) & 0xf0u) | ((b >> 4u) & 0xf00u) | ((b >> 16u) & 0xf000u), 0u);
    let three_bits = select(a, b, group >= 4u) >> (16u * ((group >> 1u) & 1u) + 6u * (group & 1u));
    let scales = vec2<f32>(f32(2u * (three_bits & 7u) + 1u), f32(2u * ((three_bits >> 3u) & 7u) + 1u));
    return chunk_of(
        vec4<u32>(eight(byte_of(low, 0u), high), eight(byte_of(low, 1u), high >> 4u)),
        vec4<u32>(eight(byte_of(low, 2u), high >> 8u), eight(byte_of(low, 3u), high >> 12u)),
        d * scales * 0.125, 0.0,
    );
}
