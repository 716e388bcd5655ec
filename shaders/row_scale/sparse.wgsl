// Of rows what lies more than DEVIATIONS standard deviations above their mean stays, by how much it does; the rest is 0.
override DEVIATIONS: f32;

fn figure_of(first: u32, lane: u32) -> f32 {
    var values = vec4<f32>();
    for (var i = lane; i < COLS / 4u; i += LANES) {
        values += x[first + i];
    }
    let mean = sum_over_lanes(dot(values, vec4<f32>(1.0)), lane) / f32(COLS);
    var squares = 0.0;
    for (var i = lane; i < COLS / 4u; i += LANES) {
        let v = x[first + i] - mean;
        squares += dot(v, v);
    }
    let variance = sum_over_lanes(squares, lane) / f32(COLS);
    return mean + DEVIATIONS * sqrt(variance);
}

fn changed(v: vec4<f32>, figure: f32) -> vec4<f32> {
    return max(v - figure, vec4<f32>(0.0));
}
