// The activations that meet a chunk of weights: 32 values of a row of x, with the spreads applied, and their sums (where OFFSET asks
// for them). inputs.wgsl and quad_inputs.wgsl are two ways to load them: inputs(chunk of x, lane).
struct Inputs {
    v: array<vec4<f32>, 8>,
    sums: Offset,
}

// Words are unpacked one by one, each beside its use: that needs few registers.
fn dot_chunk(w: Chunk, i: Inputs) -> f32 {
    var low = dot(low_numbers(w.words[0]), i.v[0]);
    low += dot(low_numbers(w.words[1]), i.v[1]);
    low += dot(low_numbers(w.words[2]), i.v[2]);
    low += dot(low_numbers(w.words[3]), i.v[3]);
    var high = dot(high_numbers(w.words[4]), i.v[4]);
    high += dot(high_numbers(w.words[5]), i.v[5]);
    high += dot(high_numbers(w.words[6]), i.v[6]);
    high += dot(high_numbers(w.words[7]), i.v[7]);
    let scaled = dot(vec2<f32>(low, high), w.scale);
    if OFFSET {
        return scaled + offset_product(w.offset, i.sums);
    }
    return scaled;
}

// A chunk unpacked, to meet several rows of x.
struct Numbers {
    v: array<vec4<f32>, 8>,
    scale: vec2<f32>,
    offset: Offset,
}

fn numbers(w: Chunk) -> Numbers {
    return Numbers(array<vec4<f32>, 8>(
        low_numbers(w.words[0]), low_numbers(w.words[1]), low_numbers(w.words[2]), low_numbers(w.words[3]),
        high_numbers(w.words[4]), high_numbers(w.words[5]), high_numbers(w.words[6]), high_numbers(w.words[7]),
    ), w.scale, w.offset);
}

// What dot_chunk gives of the same chunk, to the bit: the products are added in the same order.
fn dot_numbers(w: Numbers, i: Inputs) -> f32 {
    let low = dot(w.v[0], i.v[0]) + dot(w.v[1], i.v[1]) + dot(w.v[2], i.v[2]) + dot(w.v[3], i.v[3]);
    let high = dot(w.v[4], i.v[4]) + dot(w.v[5], i.v[5]) + dot(w.v[6], i.v[6]) + dot(w.v[7], i.v[7]);
    let scaled = dot(vec2<f32>(low, high), w.scale);
    if OFFSET {
        return scaled + offset_product(w.offset, i.sums);
    }
    return scaled;
}

// `value` in place `r`, and zeros.
fn in_place(r: u32, value: f32) -> vec4<f32> {
    return select(vec4<f32>(), vec4<f32>(value), vec4<u32>(r) == vec4<u32>(0u, 1u, 2u, 3u));
}
