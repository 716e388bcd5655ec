// Puts what was drafted for a sequence into the rows that verify it: each row behind the first takes the next token of the sequence's ring,
// from the ring's beginning on. ring: [sequences, RING].
// Dispatch: one invocation a row, in one workgroup.

override RING: u32;

@compute @workgroup_size(64)
fn main(@builtin(local_invocation_index) r: u32) {
    if r > 0u && r < batch.count {
        batch.rows[r].token = ring[batch.rows[r].sequence * RING + r - 1u];
    }
}
