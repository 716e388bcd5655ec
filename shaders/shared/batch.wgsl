// The batch of a step: what every kernel reads at binding 0 (the sampler also writes it).
// `rows[r]` for r < count are valid; kernels skip the others.
struct Row {
    token: u32,     // token id entering the model in this row
    position: u32,  // its position in its sequence, from 0
    sequence: u32,  // index of its sequence: which page table, sampling state and history
    flags: u32,     // FINISHED, or 0
}
const FINISHED: u32 = 1u;  // the row has reached its end: the sampler leaves it alone
struct Batch {
    count: u32,     // valid rows
    step: u32,      // decode steps done since the batch was written; the sampler counts it up
    _0: u32,
    _1: u32,
    rows: array<Row>,
}
