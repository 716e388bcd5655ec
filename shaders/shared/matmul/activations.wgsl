// The activations that meet a chunk of weights: 32 values of a row of x, with SPREAD applied, and their sum.
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

fn dot_chunk(w: Chunk, i: Inputs) -> f32 {
    let low = (w.q[0] * i.v[0] + w.q[1] * i.v[1]) + (w.q[2] * i.v[2] + w.q[3] * i.v[3]);
    let high = (w.q[4] * i.v[4] + w.q[5] * i.v[5]) + (w.q[6] * i.v[6] + w.q[7] * i.v[7]);
    let scaled = dot(low * w.scale.x + high * w.scale.y, vec4<f32>(1.0));
    if OFFSET {
        return scaled + w.offset * i.sum;
    }
    return scaled;
}
