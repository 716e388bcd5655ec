// IQ3_S: a superblock is 8 groups of eight fours, and an f16 scale; two scales a word. A group has two words of entries of the list, a byte
// each. The plane of high bits has a ninth bit of each entry, then a word of signs for each group, then four bits of scale for each.
const OFFSET = false;

// Digits stand for odd numbers from 1 on. `ninth` has the entry's ninth bit lowest.
fn four(byte: u32, ninth: u32, signs: u32) -> u32 {
    return negated(ONES + four_digits(byte | ((ninth & 1u) << 8u)) * 2u, signs);
}

fn sixteen(bytes: u32, ninths: u32, signs: u32) -> vec4<u32> {
    return vec4<u32>(
        four(byte_of(bytes, 0u), ninths, signs), four(byte_of(bytes, 1u), ninths >> 1u, signs >> 4u),
        four(byte_of(bytes, 2u), ninths >> 2u, signs >> 8u), four(byte_of(bytes, 3u), ninths >> 3u, signs >> 12u),
    );
}

fn chunk(index: u32) -> Chunk {
    let group = index & 7u;
    let at_h = (index >> 3u) * 11u;
    let ninths = byte_of(weight_high_bits[at_h + (group >> 2u)], group & 3u);
    let signs = weight_high_bits[at_h + 2u + group];
    let scale = (weight_high_bits[at_h + 10u] >> (4u * group)) & 15u;
    let d = half_of(weight_scales[index >> 4u], (index >> 3u) & 1u);
    return chunk_of(
        sixteen(weight_quants[index * 2u], ninths, signs),
        sixteen(weight_quants[index * 2u + 1u], ninths >> 4u, signs >> 16u),
        vec2<f32>(d * f32(1u + 2u * scale)), 0.0,
    );
}
