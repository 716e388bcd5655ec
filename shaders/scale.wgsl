// A factor for rows in place: x[r] *= factor, or by a gate of each row, sigmoid(factor[r]).
//
// x: [rows, COLS] f32; factor: [1] f32, or [rows]. COLS is a multiple of 4. Dispatch: x covers COLS / 4 in workgroups of 64, y is the row.

override COLS: u32;
override IS_GATE: bool;

@compute @workgroup_size(64)
fn main(@builtin(global_invocation_id) id: vec3<u32>) {
    if id.y >= batch.count || id.x >= COLS / 4u {
        return;
    }
    let gate = 1.0 / (1.0 + exp(min(-factor[select(0u, id.y, IS_GATE)], 80.0)));
    x[id.y * (COLS / 4u) + id.x] *= select(factor[0], gate, IS_GATE);
}
