// Matmul of experts for many rows of x in tiles: out[pair] = weights of its expert · x, as shared/matmul/epilogue.wgsl finishes it.
//
// As gemm/tile.wgsl, whose floats.wgsl and scaled.wgsl it uses, over the pairs of one expert: list has TILES tiles of up to SIDE of them,
// then the pairs; see experts/sort.wgsl. Operands are those of few.wgsl.
// Dispatch: x covers the row tiles in sixteens, y the tiles of the list.
const SIDE = 64u;

override TILES: u32;

@compute @workgroup_size(128)
fn main(@builtin(workgroup_id) group: vec3<u32>, @builtin(local_invocation_index) lane: u32) {
    let expert = list[4u * group.y] - FIRST_EXPERT;
    let place = 4u * TILES + list[4u * group.y + 1u];
    let count = list[4u * group.y + 2u];
    if expert >= EXPERTS || count == 0u {
        return;
    }
    expert_row = expert * ROWS;
    let first_row_tile = group.x * (SIDE / 4u);
    let row = lane % SIDE;
    let first_w = (rows_of(first_row_tile + row / 4u)[row % 4u] + expert * ROWS) * CHUNKS;
    let first_x = x_row_of(list[place + min(row, count - 1u)]) * CHUNKS;
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
            if own_m + m < count {
                finish(list[place + own_m + m], first_row_tile + own_row_tile, sums[m]);
            }
        }
    }
}
