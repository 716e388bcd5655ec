// What every weight type is to the kernels: chunks of 32 consecutive weights of a row, numbered through the matrix.
//
// A chunk is eight words of four weights each. Weight 4i + j of a chunk is
//     numbers(words[i])[j] * SPREAD[j] * scale[i / 4] + offset
// Scales and offsets are left to be applied to whole dot products, since that is 32 times less work. SPREAD, a power of two for each
// place in a word, undoes what a cheap unpacking leaves behind; it is applied to x, once for many rows. A type defines
//     alias Word, numbers(word), SPREAD, chunk(index), and OFFSET: false where offset is always 0.
// Words of quantised types are u32s; bytes_of(word) has a number of at most 8 bits in each byte, low byte first, as integer dot products
// want them.
struct Chunk {
    words: array<Word, 8>,
    scale: vec2<f32>,
    offset: f32,
}

// The half of `word` with this number (0: low), read as f16.
fn half_of(word: u32, number: u32) -> f32 {
    return unpack2x16float(word >> (16u * number)).x;
}
