// Matmul for few rows of x, the work of a workgroup: out[m] (op)= weights · x[m], as shared/matmul/epilogue.wgsl finishes it.
//
// x: [M, CHUNKS * 32] f32; weights: [ROWS, CHUNKS * 32] of any type; out: [M, OUT_STRIDE] f32.
// Dispatch: a workgroup of LANES invocations computes a row tile of four weight rows for all rows of x; workgroups are numbered
// through x and y. Lanes take chunks in turn, so that a workgroup reads LANES consecutive chunks of a row at once and each weight is
// read once for all M rows of x. With one row of x four weight rows share every load of it; with several two do, and stay unpacked
// meanwhile. subgroups.wgsl and shared.wgsl differ in how the lanes' sums meet.

override CHUNKS: u32;
const LANES = 32u;

fn row_tile_of(group: vec3<u32>, groups: vec3<u32>) -> u32 {
    return group.y * groups.x + group.x;
}

// This lane's share of the four sums of `row_tile`, for each row of x.
fn share_of(row_tile: u32, lane: u32) -> array<vec4<f32>, M> {
    let first = rows_of(row_tile) * CHUNKS;
    var sums = array<vec4<f32>, M>();
    for (var c = lane; c < CHUNKS; c += LANES) {
        if M == 1u {
            let i = inputs(c, lane);
            sums[0] += vec4<f32>(
                dot_chunk(chunk(first.x + c), i), dot_chunk(chunk(first.y + c), i),
                dot_chunk(chunk(first.z + c), i), dot_chunk(chunk(first.w + c), i),
            );
        } else {
            let a = numbers(chunk(first.x + c));
            let b = numbers(chunk(first.y + c));
            for (var m = 0u; m < M; m++) {
                let i = inputs(m * CHUNKS + c, lane);
                sums[m] += vec4<f32>(dot_numbers(a, i), dot_numbers(b, i), 0.0, 0.0);
            }
            let d = numbers(chunk(first.z + c));
            let e = numbers(chunk(first.w + c));
            for (var m = 0u; m < M; m++) {
                let i = inputs(m * CHUNKS + c, lane);
                sums[m] += vec4<f32>(0.0, 0.0, dot_numbers(d, i), dot_numbers(e, i));
            }
        }
    }
    return sums;
}
