// What every weight type is to the kernels: chunks of 32 consecutive weights of a row, numbered through the matrix.
//
// A chunk is eight words of four weights each. Weight 4i + j of a chunk is, for i < 4 and for i >= 4,
//     low_numbers(words[i])[j] * LOW_SPREAD[j] * scale.x + low_offset(offset)
//     high_numbers(words[i])[j] * HIGH_SPREAD[j] * scale.y + high_offset(offset)
// Scales and offsets are left to be applied to whole dot products, since that is 32 times less work. A spread, a power of two for each
// place in a word, undoes what a cheap unpacking leaves behind; it is applied to x, once for many rows. A type defines
//     alias Word, low_numbers, high_numbers, LOW_SPREAD, HIGH_SPREAD, chunk(index), and OFFSET: false where offset is always 0.
// one_offset.wgsl and two_offsets.wgsl say what an Offset is.
// Words of quantised types are u32s; low_bytes(word) and high_bytes(word) have a number of at most 8 bits in each byte, low byte
// first, as integer dot products want them.
//
// Unpacking is written with few right shifts: SwiftShader has none for vectors, and makes one of 25 cycles out of scalars.
struct Chunk {
    words: array<Word, 8>,
    scale: vec2<f32>,
    offset: Offset,
}

// The half of `word` with this number (0: low), read as f16.
fn half_of(word: u32, number: u32) -> f32 {
    let both = unpack2x16float(word);
    return select(both.x, both.y, number == 1u);
}
