// The activations that meet a chunk of weights: 32 values of a row of x, with SPREAD applied, and their sum (where OFFSET asks for it).
struct Inputs {
    v: array<vec4<f32>, 8>,
    sum: f32,
}

fn inputs(chunk_of_x: u32) -> Inputs {
    let at = chunk_of_x * 8u;
    let a = x[at];
    let b = x[at + 1u];
    let c = x[at + 2u];
    let d = x[at + 3u];
    let e = x[at + 4u];
    let f = x[at + 5u];
    let g = x[at + 6u];
    let h = x[at + 7u];
    var sum = 0.0;
    if OFFSET {
        sum = dot(((a + b) + (c + d)) + ((e + f) + (g + h)), vec4<f32>(1.0));
    }
    return Inputs(array<vec4<f32>, 8>(
        a * SPREAD, b * SPREAD, c * SPREAD, d * SPREAD, e * SPREAD, f * SPREAD, g * SPREAD, h * SPREAD,
    ), sum);
}

// Words are unpacked one by one, each beside its use: that needs few registers.
fn dot_chunk(w: Chunk, i: Inputs) -> f32 {
    var low = dot(numbers(w.words[0]), i.v[0]);
    low += dot(numbers(w.words[1]), i.v[1]);
    low += dot(numbers(w.words[2]), i.v[2]);
    low += dot(numbers(w.words[3]), i.v[3]);
    var high = dot(numbers(w.words[4]), i.v[4]);
    high += dot(numbers(w.words[5]), i.v[5]);
    high += dot(numbers(w.words[6]), i.v[6]);
    high += dot(numbers(w.words[7]), i.v[7]);
    let scaled = dot(vec2<f32>(low, high), w.scale);
    if OFFSET {
        return scaled + w.offset * i.sum;
    }
    return scaled;
}
