// Joins the parts that attention's splits have left: out = Σ e^(mₛ - m) sumₛ / Σ e^(mₛ - m) totalₛ.
//
// parts: [rows, HEADS, SPLITS, DIM + 4] f32 (see shared/attention.wgsl); out: [rows, HEADS, DIM] f32.
// Dispatch: one invocation a number of a head, HEADS * DIM along x in workgroups of 64, rows along y. The splits are few
// (at most 32), so each invocation weighs them itself. Finished rows are left alone.

override HEADS: u32;
override DIM: u32;
override SPLITS: u32;

@compute @workgroup_size(64)
fn main(@builtin(global_invocation_id) id: vec3<u32>) {
    let row = id.y;
    if row >= batch.count || id.x >= HEADS * DIM || is_finished(batch.rows[row]) {
        return;
    }
    let head = id.x / DIM;
    let dim = id.x % DIM;
    let first = (row * HEADS + head) * SPLITS * (DIM + 4u);
    var highest = parts[first + DIM];
    for (var s = 1u; s < SPLITS; s++) {
        highest = max(highest, parts[first + s * (DIM + 4u) + DIM]);
    }
    var sum = 0.0;
    var total = 0.0;
    for (var s = 0u; s < SPLITS; s++) {
        let part = first + s * (DIM + 4u);
        // A split beyond the sequence's end has a total of 0 and sums of 0.
        let weight = exp(parts[part + DIM] - highest);
        sum += weight * parts[part + dim];
        total += weight * parts[part + DIM + 1u];
    }
    out[row * HEADS * DIM + id.x] = sum / total;
}
