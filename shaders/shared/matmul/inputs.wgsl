// Each invocation loads its own inputs.
fn inputs(chunk_of_x: u32, lane: u32) -> Inputs {
    let at = chunk_of_x * 8u;
    let a = x[at];
    let b = x[at + 1u];
    let c = x[at + 2u];
    let d = x[at + 3u];
    let e = x[at + 4u];
    let f = x[at + 5u];
    let g = x[at + 6u];
    let h = x[at + 7u];
    var sums = Offset();
    if OFFSET {
        sums = input_sums((a + b) + (c + d), (e + f) + (g + h));
    }
    return Inputs(array<vec4<f32>, 8>(
        a * LOW_SPREAD, b * LOW_SPREAD, c * LOW_SPREAD, d * LOW_SPREAD,
        e * HIGH_SPREAD, f * HIGH_SPREAD, g * HIGH_SPREAD, h * HIGH_SPREAD,
    ), sums);
}
