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

// The activations that meet a chunk: 32 values of a row of x, with SPREAD applied, and their sum (where OFFSET asks for it).
struct Inputs {
    v: array<vec4<f32>, 8>,
    sum: f32,
}

// The half of `word` with this number (0: low), read as f16.
fn half_of(word: u32, number: u32) -> f32 {
    return unpack2x16float(word >> (16u * number)).x;
}

// The dot product of an unpacked chunk with several inputs in turn.
fn dot_unpacked(w: Chunk, i: Inputs) -> f32 {
    let low = (w.q[0] * i.v[0] + w.q[1] * i.v[1]) + (w.q[2] * i.v[2] + w.q[3] * i.v[3]);
    let high = (w.q[4] * i.v[4] + w.q[5] * i.v[5]) + (w.q[6] * i.v[6] + w.q[7] * i.v[7]);
    return dot(low * w.scale.x + high * w.scale.y, vec4<f32>(1.0)) + w.offset * i.sum;
}
