// The first half of what adapters add to a product: out[m, c] = scales[sequence of m, c] * (a[c] . x[m]), 0 where the scale is.
//
// x: [rows, COLS] f32; a: [RANK, COLS] f32; scales: [sequences, RANK] f32; out: [rows, RANK] f32. COLS is a multiple of 4.
// Dispatch: one workgroup of LANES invocations for each column c (x) of each row m (y). A row meets no rows of a but its own adapters'.

override COLS: u32;
override RANK: u32;

@compute @workgroup_size(LANES)
fn main(@builtin(workgroup_id) group: vec3<u32>, @builtin(local_invocation_index) lane: u32) {
    let c = group.x;
    let m = group.y;
    if m >= batch.count {
        return;
    }
    let scale = scales[batch.rows[m].sequence * RANK + c];
    if scale == 0.0 {
        if lane == 0u {
            out[m * RANK + c] = 0.0;
        }
        return;
    }
    var products = vec4<f32>();
    for (var i = lane; i < COLS / 4u; i += LANES) {
        products += a[c * (COLS / 4u) + i] * x[m * (COLS / 4u) + i];
    }
    let sum = sum_over_lanes(dot(products, vec4<f32>(1.0)), lane);
    if lane == 0u {
        out[m * RANK + c] = scale * sum;
    }
}
