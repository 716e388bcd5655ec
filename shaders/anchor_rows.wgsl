// For a model that drafts from one position: each row of `anchored` becomes that of the batch at the last position whose keys and values
// are there, the one before the row that the draft began with, however many steps ago.
// Dispatch: one invocation a row, in workgroups of 64.

@compute @workgroup_size(64)
fn main(@builtin(global_invocation_id) id: vec3<u32>) {
    let r = id.x;
    if r == 0u {
        anchored.count = batch.count;
        anchored.step = batch.step;
    }
    if r < batch.count {
        let row = batch.rows[r];
        anchored.rows[r] = Row(row.token, max(row.position, batch.step + 1u) - batch.step - 1u, row.sequence, row.flags);
    }
}
