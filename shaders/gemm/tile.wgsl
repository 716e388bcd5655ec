// Matmul for many rows of x in tiles: out[m] (op)= weights · x[m], as shared/matmul/epilogue.wgsl finishes it.
//
// x: [rows, CHUNKS * 32] f32; weights: [ROWS, CHUNKS * 32] of any type; out: [rows, OUT_STRIDE] f32.
// Dispatch: a workgroup of 128 computes a tile of 16 row tiles (64 weight rows) by 64 rows of x, an invocation one row tile by 8 rows of x
// in registers; x covers the row tiles in sixteens, y the rows of x in 64s. Per step of 32 columns half of the workgroup unpacks a row of
// weights each into workgroup memory and the other half a row of x each. floats.wgsl and scaled.wgsl say in what form, and define
// keep_weights(row, chunk), keep_inputs(row, chunk of x) and multiply(first weight row, first row of x, sums), which adds the products of
// four weight rows and eight rows of x.

override CHUNKS: u32;
const SIDE = 64u;

@compute @workgroup_size(128)
fn main(@builtin(workgroup_id) group: vec3<u32>, @builtin(local_invocation_index) lane: u32) {
    let first_row_tile = group.x * (SIDE / 4u);
    let first_m = group.y * SIDE;
    if first_m >= batch.count {
        return;
    }
    let row = lane % SIDE;
    let first_w = rows_of(first_row_tile + row / 4u)[row % 4u] * CHUNKS;
    let first_x = min(first_m + row, batch.count - 1u) * CHUNKS;
    let own_row_tile = lane % 16u;
    let own_m = lane / 16u * 8u;
    var sums = array<vec4<f32>, 8>();
    for (var c = 0u; c < CHUNKS; c++) {
        if lane < SIDE {
            keep_weights(row, first_w + c);
        } else {
            keep_inputs(row, first_x + c);
        }
        workgroupBarrier();
        multiply(own_row_tile * 4u, own_m, &sums);
        workgroupBarrier();
    }
    if first_row_tile + own_row_tile < row_tiles() {
        for (var m = 0u; m < 8u; m++) {
            if first_m + own_m + m < batch.count {
                finish(first_m + own_m + m, first_row_tile + own_row_tile, sums[m]);
            }
        }
    }
}
