// IQ1_S: a superblock is 8 groups of four eights, and an f16 scale; two scales a word. A group has a word of entries of the list, a byte each. The
// plane of high bits has 16 bits for each: three more bits of each entry, three of scale, and whether weights are an eighth less or more.
const OFFSET = false;

fn chunk(index: u32) -> Chunk {
    let low = weight_quants[index];
    let high = weight_high_bits[index >> 1u] >> (16u * (index & 1u));
    let is_less = high >> 15u;
    let d = half_of(weight_scales[index >> 4u], (index >> 3u) & 1u);
    let scale = d * f32(2u * ((high >> 12u) & 7u) + 1u) * 0.125;
    return chunk_of(
        vec4<u32>(
            shifted_eight(byte_of(low, 0u) | ((high & 7u) << 8u), is_less),
            shifted_eight(byte_of(low, 1u) | (((high >> 3u) & 7u) << 8u), is_less),
        ),
        vec4<u32>(
            shifted_eight(byte_of(low, 2u) | (((high >> 6u) & 7u) << 8u), is_less),
            shifted_eight(byte_of(low, 3u) | (((high >> 9u) & 7u) << 8u), is_less),
        ),
        vec2<f32>(scale), 0.0,
    );
}
