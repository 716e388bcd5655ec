// Matmul for one row of x, without barriers: out (op)= weights · x, as shared/matmul/epilogue.wgsl finishes it.
//
// x: [1, CHUNKS * 32] f32; weights: [ROWS, CHUNKS * 32] of any type; out: [1, OUT_STRIDE] f32.
// Dispatch: an invocation computes a row tile; x covers the row tiles in workgroups of 32.
// As shared/matmul/plain.wgsl, which takes several rows of x; with one there is nothing to keep unpacked. rows_in_line.wgsl and
// rows_in_loop.wgsl are two ways through the four weight rows.

override CHUNKS: u32;

@compute @workgroup_size(32)
fn main(@builtin(global_invocation_id) id: vec3<u32>, @builtin(local_invocation_index) lane: u32) {
    let row_tile = id.x;
    if batch.count == 0u {
        return;
    }
    // Invocations past the last row tile stay, for their quads' sake; their rows are clamped, and nothing is stored.
    let first = rows_of(row_tile) * CHUNKS;
    var sums = vec4<f32>();
    for (var c = 0u; c < CHUNKS; c++) {
        sums += four_dots(first + c, inputs(c, lane));
    }
    if row_tile < row_tiles() {
        finish(0u, row_tile, sums);
    }
}
