// Root-mean-square norm: out[r] = or += x[r] / sqrt(mean(x[r]^2) + EPS) * weight.
//
// x: [rows * PARTS, COLS] f32; weight: [COLS] f32, or [PARTS, COLS]; out: see shared/norm_out.wgsl. COLS is a multiple of 4.
// Dispatch: one workgroup of LANES invocations a row, numbered through x and y. Rows are few and short (at most 8192 columns), so that one workgroup
// holds a row's sum without a second pass over memory; with LANES = 1 there is no barrier, which software adapters need.

override COLS: u32;
override EPS: f32;
override PARTS: u32;
override WEIGHTS_OF_PARTS: bool;

@compute @workgroup_size(LANES)
fn main(
    @builtin(workgroup_id) group: vec3<u32>,
    @builtin(num_workgroups) groups: vec3<u32>,
    @builtin(local_invocation_index) lane: u32,
) {
    let row = group.y * groups.x + group.x;
    if row >= batch.count * PARTS {
        return;
    }
    let first = row * (COLS / 4u);
    var squares = vec4<f32>();
    for (var i = lane; i < COLS / 4u; i += LANES) {
        let v = x[first + i];
        squares += v * v;
    }
    let sum = sum_over_lanes(dot(squares, vec4<f32>(1.0)), lane);
    let scale = inverseSqrt(sum / f32(COLS) + EPS);
    let weights = select(0u, row % PARTS * (COLS / 4u), WEIGHTS_OF_PARTS);
    for (var i = lane; i < COLS / 4u; i += LANES) {
        put_normed(row, i, x[first + i] * scale * weight[weights + i]);
    }
}
