// A scaled sum in place: out[r] = FACTOR * (out[r] + x[r]).
//
// x, out: [rows, COLS] f32. COLS is a multiple of 4. Dispatch: x covers COLS / 4 in workgroups of 64, y is the row.

override COLS: u32;
override FACTOR: f32;

@compute @workgroup_size(64)
fn main(@builtin(global_invocation_id) id: vec3<u32>) {
    if id.y >= batch.count || id.x >= COLS / 4u {
        return;
    }
    let at = id.y * (COLS / 4u) + id.x;
    out[at] = FACTOR * (out[at] + x[at]);
}
