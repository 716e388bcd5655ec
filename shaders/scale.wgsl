// A factor for rows in place: x[r] *= factor.
//
// x: [rows, COLS] f32; factor: [1] f32. COLS is a multiple of 4. Dispatch: x covers COLS / 4 in workgroups of 64, y is the row.

override COLS: u32;

@compute @workgroup_size(64)
fn main(@builtin(global_invocation_id) id: vec3<u32>) {
    if id.y >= batch.count || id.x >= COLS / 4u {
        return;
    }
    x[id.y * (COLS / 4u) + id.x] *= factor[0];
}
