// Rows get the root mean square of those of another tensor, like: [rows, COLS] f32.
fn figure_of(first: u32, lane: u32) -> f32 {
    var own = 0.0;
    var wanted = 0.0;
    for (var i = lane; i < COLS / 4u; i += LANES) {
        own += dot(x[first + i], x[first + i]);
        wanted += dot(like[first + i], like[first + i]);
    }
    let squares = sum_over_lanes(own, lane) / f32(COLS);
    return sqrt(sum_over_lanes(wanted, lane) / f32(COLS)) * inverseSqrt(max(squares, 1e-5));
}

fn changed(v: vec4<f32>, figure: f32) -> vec4<f32> {
    return v * figure;
}
