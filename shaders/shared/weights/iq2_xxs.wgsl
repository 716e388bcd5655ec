// IQ2_XXS: a superblock is 8 groups of four eights, and an f16 scale; two scales a word. A group has a word of entries of the list, a byte
// each, and a word of seven signs for each eight, of which an even number is set, with four bits of scale above.
const OFFSET = false;

fn chunk(index: u32) -> Chunk {
    let entries = weight_quants[index * 2u];
    let w = weight_quants[index * 2u + 1u];
    let d = half_of(weight_scales[index >> 4u], (index >> 3u) & 1u);
    let scale = d * (0.5 + f32(w >> 28u)) * 0.25;
    return chunk_of(
        vec4<u32>(
            signed_eight(byte_of(entries, 0u), even_signs(w)), signed_eight(byte_of(entries, 1u), even_signs(w >> 7u)),
        ),
        vec4<u32>(
            signed_eight(byte_of(entries, 2u), even_signs(w >> 14u)), signed_eight(byte_of(entries, 3u), even_signs(w >> 21u)),
        ),
        vec2<f32>(scale), 0.0,
    );
}
