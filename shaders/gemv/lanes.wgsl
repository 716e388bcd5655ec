// Matmul for few rows of x, the work of a workgroup: out[m] (op)= weights · x[m], as shared/matmul/epilogue.wgsl finishes it.
//
// x: [M, CHUNKS * 32] f32; weights: [ROWS, CHUNKS * 32] of any type; out: [M, OUT_STRIDE] f32.
// Dispatch: a workgroup of LANES invocations computes a row tile of four weight rows for all rows of x; workgroups are numbered
// through x and y. Lanes take chunks in turn, so that a workgroup reads LANES consecutive chunks of a row at once and each weight is
// read once for all M rows of x. Four weight rows share every load of x. subgroups.wgsl and shared.wgsl differ in how the lanes' sums
// meet.

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
            let a = chunk(first.x + c);
            for (var m = 0u; m < M; m++) {
                sums[m].x += dot_chunk(a, inputs(m * CHUNKS + c, lane));
            }
            let b = chunk(first.y + c);
            for (var m = 0u; m < M; m++) {
                sums[m].y += dot_chunk(b, inputs(m * CHUNKS + c, lane));
            }
            let d = chunk(first.z + c);
            for (var m = 0u; m < M; m++) {
                sums[m].z += dot_chunk(d, inputs(m * CHUNKS + c, lane));
            }
            let e = chunk(first.w + c);
            for (var m = 0u; m < M; m++) {
                sums[m].w += dot_chunk(e, inputs(m * CHUNKS + c, lane));
            }
        }
    }
    return sums;
}
