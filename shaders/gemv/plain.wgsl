// Matmul for few rows of x, without barriers: out[m] (op)= weights · x[m], as shared/matmul/epilogue.wgsl finishes it.
//
// x: [rows, CHUNKS * 32] f32; weights: [ROWS, CHUNKS * 32] of any type; out: [rows, OUT_STRIDE] f32.
// Dispatch: an invocation computes a row tile of four weight rows for one row of x; x covers the row tiles in workgroups of 32, y is the row of x.
// Made for software adapters, where a barrier is a switch between all invocations and every load is dear: four weight rows share
// the inputs, and quads may (shared/matmul/quad_inputs.wgsl). rows_in_line.wgsl and rows_in_loop.wgsl are two ways through the four.

override CHUNKS: u32;

@compute @workgroup_size(32)
fn main(
    @builtin(workgroup_id) group: vec3<u32>,
    @builtin(global_invocation_id) id: vec3<u32>,
    @builtin(local_invocation_index) lane: u32,
) {
    let row_tile = id.x;
    let m = group.y;
    if m >= batch.count {
        return;
    }
    // Invocations past the last row tile stay, for their quads' sake; their rows are clamped, and nothing is stored.
    let first = rows_of(row_tile) * CHUNKS;
    var sums = vec4<f32>();
    for (var c = 0u; c < CHUNKS; c++) {
        sums += four_dots(first + c, inputs(m * CHUNKS + c, lane));
    }
    if row_tile < row_tiles() {
        finish(m, row_tile, sums);
    }
}
