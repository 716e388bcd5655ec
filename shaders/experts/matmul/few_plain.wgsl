// Matmul of experts for few rows of x as few.wgsl, without barriers: an invocation computes a row tile of four weight rows for one pair.
// Dispatch: x covers the row tiles in workgroups of 32, y the pairs.

@compute @workgroup_size(32)
fn main(@builtin(global_invocation_id) id: vec3<u32>, @builtin(local_invocation_index) lane: u32) {
    let row_tile = id.x;
    let pair = id.y;
    if pair >= batch.count * USED || row_tile >= row_tiles() {
        return;
    }
    let expert = expert_of(pair);
    if expert >= EXPERTS {
        return;
    }
    expert_row = expert * ROWS;
    let first = (rows_of(row_tile) + vec4<u32>(expert_row)) * CHUNKS;
    let first_x = x_row_of(pair) * CHUNKS;
    var sums = vec4<f32>();
    for (var c = 0u; c < CHUNKS; c++) {
        let i = inputs(first_x + c, lane);
        for (var r = 0u; r < 4u; r++) {
            sums += in_place(r, dot_chunk(chunk(first[r] + c), i));
        }
    }
    finish(pair, row_tile, sums);
}
