// The batch of a step: what every kernel reads at binding 0 (the sampler also writes it).
// `rows[r]` for r < count are valid; kernels skip the others.
struct Row {
    token: u32,     // token id entering the model in this row
    position: u32,  // its position in its sequence, from 0
    sequence: u32,  // index of its sequence: which page table, sampling state and history
    flags: u32,     // FINISHED, HELD and VERIFY, or 0; in the upper 24 bits how many positions behind its own the row sees
}
const FINISHED: u32 = 1u;  // the row has reached its end: no kernel writes cache, state or ring for it, and its activations are undefined
const HELD: u32 = 2u;      // the row is not sampled in this step; its forward pass is computed as any other's
const VERIFY: u32 = 4u;    // the row verifies a draft: see commit.wgsl
struct Batch {
    count: u32,     // valid rows
    step: u32,      // decode steps done since the batch was written; the sampler counts it up
    _0: u32,
    _1: u32,
    rows: array<Row>,
}

// Positions behind its own that a row sees, where attention is not causal.
fn ahead_of(row: Row) -> u32 {
    return row.flags >> 8u;
}

fn is_finished(row: Row) -> bool {
    return (row.flags & FINISHED) != 0u;
}
