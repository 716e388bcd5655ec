// What every weight type is to the kernels: chunks of 32 consecutive weights of a row, numbered through the matrix.
//
// Weight 4i + j of a chunk is  q[i][j] * SPREAD[j] * scale[i / 4] + offset.
// Scales and offsets are left to be applied to whole dot products, since that is 32 times less work; SPREAD, a power of two for
// each place in a word, undoes what an unpacking without shifts leaves behind, and is applied to x, once for many rows.
// A type whose offset is always 0 says so by OFFSET = false.
struct Chunk {
    q: array<vec4<f32>, 8>,
    scale: vec2<f32>,
    offset: f32,
}

// The half of `word` with this number (0: low), read as f16.
fn half_of(word: u32, number: u32) -> f32 {
    return unpack2x16float(word >> (16u * number)).x;
}
