// Changes rows in place by figures of whole rows (row_scale/*.wgsl).
//
// x: [rows, COLS] f32. COLS is a multiple of 4. Dispatch: one workgroup of LANES invocations a row, as in rms_norm.wgsl.

override COLS: u32;

@compute @workgroup_size(LANES)
fn main(@builtin(workgroup_id) group: vec3<u32>, @builtin(local_invocation_index) lane: u32) {
    let row = group.x;
    if row >= batch.count {
        return;
    }
    let first = row * (COLS / 4u);
    let figure = figure_of(first, lane);
    for (var i = lane; i < COLS / 4u; i += LANES) {
        x[first + i] = changed(x[first + i], figure);
    }
}
