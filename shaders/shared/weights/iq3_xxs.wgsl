// IQ3_XXS: a superblock is 8 groups of eight fours, and an f16 scale; two scales a word. A group has two words of entries of the list, a byte
// each, and behind those of all groups a word of seven signs for each eight weights, of which an even number is set, with four bits of
// scale above.
const OFFSET = false;

// Digits stand for 4, 12, 20, 28, 36, 44, 52 and 62.
fn four(entry: u32, signs: u32) -> u32 {
    let digits = four_digits(entry);
    let is_7 = digits & (digits >> 1u) & (digits >> 2u) & ONES;
    return negated(4u * ONES + digits * 8u + is_7 * 2u, signs);
}

fn eight(first: u32, second: u32, signs: u32) -> vec2<u32> {
    return vec2<u32>(four(first, signs), four(second, signs >> 4u));
}

fn chunk(index: u32) -> Chunk {
    let base = (index >> 3u) * 24u;
    let group = index & 7u;
    let first = weight_quants[base + group * 2u];
    let last = weight_quants[base + group * 2u + 1u];
    let w = weight_quants[base + 16u + group];
    let d = half_of(weight_scales[index >> 4u], (index >> 3u) & 1u);
    let scale = d * (0.5 + f32(w >> 28u)) * 0.5;
    return chunk_of(
        vec4<u32>(
            eight(byte_of(first, 0u), byte_of(first, 1u), even_signs(w)),
            eight(byte_of(first, 2u), byte_of(first, 3u), even_signs(w >> 7u)),
        ),
        vec4<u32>(
            eight(byte_of(last, 0u), byte_of(last, 1u), even_signs(w >> 14u)),
            eight(byte_of(last, 2u), byte_of(last, 3u), even_signs(w >> 21u)),
        ),
        vec2<f32>(scale), 0.0,
    );
}
