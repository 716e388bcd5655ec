// IQ2_S: a superblock is 8 groups of four eights, and an f16 scale; two scales a word. A group has a word of entries of the list, a byte each,
// and behind those of all groups a word of signs. The plane of high bits has two more bits of each entry, then four bits of scale for
// each two eights.
const OFFSET = false;

fn chunk(index: u32) -> Chunk {
    let group = index & 7u;
    let at = (index >> 3u) * 16u + group;
    let at_h = (index >> 3u) * 4u + (group >> 2u);
    let low = weight_quants[at];
    let signs = weight_quants[at + 8u];
    let high = byte_of(weight_high_bits[at_h], group & 3u);
    let scales = byte_of(weight_high_bits[at_h + 2u], group & 3u);
    let d = half_of(weight_scales[index >> 4u], (index >> 3u) & 1u);
    return chunk_of(
        vec4<u32>(
            signed_eight(byte_of(low, 0u) | ((high & 3u) << 8u), signs),
            signed_eight(byte_of(low, 1u) | ((high & 12u) << 6u), signs >> 8u),
        ),
        vec4<u32>(
            signed_eight(byte_of(low, 2u) | ((high & 48u) << 4u), signs >> 16u),
            signed_eight(byte_of(low, 3u) | ((high & 192u) << 2u), signs >> 24u),
        ),
        d * (0.5 + vec2<f32>(f32(scales & 15u), f32(scales >> 4u))) * 0.25, 0.0,
    );
}
