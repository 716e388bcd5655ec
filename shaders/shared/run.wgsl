// Runs: rows of one sequence at positions that rise by one. The including kernel has the batch and shared/kv.wgsl.

// Whether row `r` goes on from the row before it.
fn goes_on(r: u32) -> bool {
    let row = batch.rows[r];
    let before = batch.rows[max(r, 1u) - 1u];
    return r > 0u && has_place(row) && has_place(before) && row.sequence == before.sequence && row.position == before.position + 1u;
}
