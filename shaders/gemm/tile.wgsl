// Matmul for many rows of x in tiles: out[m] (op)= weights · x[m], as shared/matmul/epilogue.wgsl finishes it.
//
// x: [rows, CHUNKS * 32] f32; weights: [ROWS, CHUNKS * 32] of any type; out: [rows, OUT_STRIDE] f32.
// Dispatch: a workgroup of 128 computes a tile of 16 row tiles (64 weight rows) by 64 rows of x, an invocation one row tile by 8 rows of x in
// registers; x covers the row tiles in sixteens, y the rows of x in 64s. Per step of 32 columns half of the workgroup unpacks a row of weights
// each into workgroup memory and the other half copies a row of x each: 16 KiB in all, the smallest limit there is. Twelve reads of
// workgroup memory then feed 32 multiplications.

override CHUNKS: u32;
const SIDE = 64u;

// Column k of the step's rows: [k * SIDE + row].
var<workgroup> tile_w: array<f32, 32u * SIDE>;
var<workgroup> tile_x: array<f32, 32u * SIDE>;

fn keep_weights(row: u32, w: Chunk) {
    let low = LOW_SPREAD * w.scale.x;
    let high = HIGH_SPREAD * w.scale.y;
    keep_four_weights(row, low_numbers(w.words[0]) * low + w.offset);
    keep_four_weights(row + 4u * SIDE, low_numbers(w.words[1]) * low + w.offset);
    keep_four_weights(row + 8u * SIDE, low_numbers(w.words[2]) * low + w.offset);
    keep_four_weights(row + 12u * SIDE, low_numbers(w.words[3]) * low + w.offset);
    keep_four_weights(row + 16u * SIDE, high_numbers(w.words[4]) * high + w.offset);
    keep_four_weights(row + 20u * SIDE, high_numbers(w.words[5]) * high + w.offset);
    keep_four_weights(row + 24u * SIDE, high_numbers(w.words[6]) * high + w.offset);
    keep_four_weights(row + 28u * SIDE, high_numbers(w.words[7]) * high + w.offset);
}

fn keep_four_weights(at: u32, v: vec4<f32>) {
    tile_w[at] = v.x;
    tile_w[at + SIDE] = v.y;
    tile_w[at + 2u * SIDE] = v.z;
    tile_w[at + 3u * SIDE] = v.w;
}

fn keep_inputs(row: u32, chunk_of_x: u32) {
    for (var i = 0u; i < 8u; i++) {
        let v = x[chunk_of_x * 8u + i];
        let at = i * 4u * SIDE + row;
        tile_x[at] = v.x;
        tile_x[at + SIDE] = v.y;
        tile_x[at + 2u * SIDE] = v.z;
        tile_x[at + 3u * SIDE] = v.w;
    }
}

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
            keep_weights(row, chunk(first_w + c));
        } else {
            keep_inputs(row, first_x + c);
        }
        workgroupBarrier();
        for (var k = 0u; k < 32u; k++) {
            let at_w = k * SIDE + own_row_tile * 4u;
            let at_x = k * SIDE + own_m;
            let w = vec4<f32>(tile_w[at_w], tile_w[at_w + 1u], tile_w[at_w + 2u], tile_w[at_w + 3u]);
            for (var m = 0u; m < 8u; m++) {
                sums[m] += w * tile_x[at_x + m];
            }
        }
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
