// IQ2_XS: a superblock is 8 groups of four eights, and an f16 scale; two scales a word. An eight has 16 bits: an entry of the list in nine, and
// seven signs, of which an even number is set. Two eights share four bits of scale, which are in the plane of high bits.
const OFFSET = false;

fn eight(half: u32) -> vec2<u32> {
    return signed_eight(half & 511u, even_signs(half >> 9u));
}

fn chunk(index: u32) -> Chunk {
    let first = weight_quants[index * 2u];
    let last = weight_quants[index * 2u + 1u];
    let scales = byte_of(weight_high_bits[index >> 2u], index & 3u);
    let d = half_of(weight_scales[index >> 4u], (index >> 3u) & 1u);
    return chunk_of(
        vec4<u32>(eight(first & 0xffffu), eight(first >> 16u)), vec4<u32>(eight(last & 0xffffu), eight(last >> 16u)),
        d * (0.5 + vec2<f32>(f32(scales & 15u), f32(scales >> 4u))) * 0.25, 0.0,
    );
}
