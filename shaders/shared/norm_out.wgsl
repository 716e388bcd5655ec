// Where the rows of a norm go: columns OUT_OFFSET.. of out, [rows, OUT_STRIDE] f32, by OUT_FACTOR, stored or added. All are multiples of 4.
override OUT_STRIDE: u32;
override OUT_OFFSET: u32;
override ADDS: bool;
override OUT_FACTOR: f32;

// The vector `i` of row `row`.
fn put_normed(row: u32, i: u32, value: vec4<f32>) {
    let at = (row * OUT_STRIDE + OUT_OFFSET) / 4u + i;
    if ADDS {
        out[at] += OUT_FACTOR * value;
    } else {
        out[at] = OUT_FACTOR * value;
    }
}
