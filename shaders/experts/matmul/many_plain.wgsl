// Matmul of experts for many rows of x as many.wgsl, without barriers: an invocation computes a row tile of four weight rows for PAIRS pairs
// of one expert, unpacking weights once for all of them.
// Dispatch: x covers the row tiles in workgroups of 32, y the tiles of the list, each in SIDE / PAIRS parts.
const SIDE = 64u;
const PAIRS = 8u;

override TILES: u32;

@compute @workgroup_size(32)
fn main(
    @builtin(workgroup_id) group: vec3<u32>,
    @builtin(global_invocation_id) id: vec3<u32>,
    @builtin(local_invocation_index) lane: u32,
) {
    let row_tile = id.x;
    let tile = 4u * (group.y / (SIDE / PAIRS));
    let begin = group.y % (SIDE / PAIRS) * PAIRS;
    let expert = list[tile] - FIRST_EXPERT;
    let place = 4u * TILES + list[tile + 1u];
    let count = list[tile + 2u];
    if expert >= EXPERTS || begin >= count || row_tile >= row_tiles() {
        return;
    }
    expert_row = expert * ROWS;
    let first = (rows_of(row_tile) + vec4<u32>(expert_row)) * CHUNKS;
    var sums = array<vec4<f32>, PAIRS>();
    for (var c = 0u; c < CHUNKS; c++) {
        for (var r = 0u; r < 4u; r++) {
            let w = numbers(chunk(first[r] + c));
            for (var m = 0u; m < PAIRS; m++) {
                let pair = list[place + min(begin + m, count - 1u)];
                sums[m] += in_place(r, dot_numbers(w, inputs(x_row_of(pair) * CHUNKS + c, lane)));
            }
        }
    }
    for (var m = 0u; m < PAIRS; m++) {
        if begin + m < count {
            finish(list[place + begin + m], row_tile, sums[m]);
        }
    }
}
