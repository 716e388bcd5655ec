// Matmul of experts for few rows of x: out[pair] = weights of its expert · x, as shared/matmul/epilogue.wgsl finishes it.
//
// x: [rows, CHUNKS * 32] f32, or of each pair a row (X_OF_PAIRS); choices: [rows, 2 USED], experts first; weights: EXPERTS times ROWS rows,
// of the experts from FIRST_EXPERT on; out: [rows * USED, OUT_STRIDE] f32. Pairs of other experts are left alone.
// Dispatch: a workgroup of LANES invocations computes a row tile of four weight rows for one pair; row tiles are numbered through x and y,
// z is the pair. Lanes take chunks in turn. meet_shared.wgsl and meet_subgroups.wgsl differ in how the lanes' sums meet.
const LANES = 32u;

struct Work {
    pair: u32,
    row_tile: u32,
    expert: u32,
    is_any: bool,
}

fn work_of(group: vec3<u32>, groups: vec3<u32>) -> Work {
    let row_tile = group.y * groups.x + group.x;
    if group.z >= batch.count * USED || row_tile >= row_tiles() {
        return Work(0u, 0u, 0u, false);
    }
    let expert = expert_of(group.z);
    return Work(group.z, row_tile, expert, expert < EXPERTS);
}

// This lane's share of the four sums.
fn share_of(work: Work, lane: u32) -> vec4<f32> {
    let first = (rows_of(work.row_tile) + vec4<u32>(work.expert * ROWS)) * CHUNKS;
    let first_x = x_row_of(work.pair) * CHUNKS;
    var sums = vec4<f32>();
    for (var c = lane; c < CHUNKS; c += LANES) {
        let i = inputs(first_x + c, lane);
        sums += vec4<f32>(
            dot_chunk(chunk(first.x + c), i), dot_chunk(chunk(first.y + c), i),
            dot_chunk(chunk(first.z + c), i), dot_chunk(chunk(first.w + c), i),
        );
    }
    return sums;
}
