// Pooling: out[s] = the mean of the rows of x from `token` of row s of the batch to its `position`, both included.
//
// x: [rows, COLS] f32; out: [sequences, COLS] f32. COLS is a multiple of 4. Dispatch: x covers COLS / 4 in workgroups of 64, y is the sequence.
// Texts have some hundred rows, and neighbouring invocations read neighbouring columns: nothing is shared.

override COLS: u32;

@compute @workgroup_size(64)
fn main(@builtin(global_invocation_id) id: vec3<u32>) {
    if id.y >= batch.count || id.x >= COLS / 4u {
        return;
    }
    let row = batch.rows[id.y];
    var sum = vec4<f32>();
    for (var r = row.token; r <= row.position; r++) {
        sum += x[r * (COLS / 4u) + id.x];
    }
    out[id.y * (COLS / 4u) + id.x] = sum / f32(row.position - row.token + 1u);
}
