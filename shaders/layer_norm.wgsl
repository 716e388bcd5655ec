// Layer norm: out[r] = or += (x[r] - mean) / sqrt(variance + EPS) * weight, with a bias where there is one.
//
// x: [rows, COLS] f32; weight, bias: [COLS] f32; out: see shared/norm_out.wgsl. COLS is a multiple of 4.
// Dispatch: one workgroup of LANES invocations a row, as in rms_norm.wgsl. The variance is summed in a second turn, from what is left
// without the mean: squares of values far from zero would lose it.

override COLS: u32;
override EPS: f32;

@compute @workgroup_size(LANES)
fn main(@builtin(workgroup_id) group: vec3<u32>, @builtin(local_invocation_index) lane: u32) {
    let row = group.x;
    if row >= batch.count {
        return;
    }
    let first = row * (COLS / 4u);
    var values = vec4<f32>();
    for (var i = lane; i < COLS / 4u; i += LANES) {
        values += x[first + i];
    }
    let mean = sum_over_lanes(dot(values, vec4<f32>(1.0)), lane) / f32(COLS);
    var squares = vec4<f32>();
    for (var i = lane; i < COLS / 4u; i += LANES) {
        let v = x[first + i] - mean;
        squares += v * v;
    }
    let scale = inverseSqrt(sum_over_lanes(dot(squares, vec4<f32>(1.0)), lane) / f32(COLS) + EPS);
    for (var i = lane; i < COLS / 4u; i += LANES) {
        put_normed(row, i, (x[first + i] - mean) * scale * weight[i] + bias_of(i));
    }
}
