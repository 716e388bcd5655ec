// Matmul for many rows of x in tiles of small numbers with scales, for quantised weights: out[m] (op)= weights · x[m], as
// shared/matmul/epilogue.wgsl finishes it.
//
// x: [rows, CHUNKS * 32] f32; weights: [ROWS, CHUNKS * 32]; out: [rows, OUT_STRIDE] f32.
// Dispatch and division of work are those of tile.wgsl. The weights' own numbers go into workgroup memory as they are; a chunk of x is
// divided by its largest value and kept as numbers up to RANGE. A product of sixteen pairs is taken in the small type and
// only then meets its scales, in f32. dot4.wgsl and f16.wgsl say what the small type is:
// Packed (four numbers), Sum, RANGE, pack_low, pack_high, pack_inputs, sum_of, product.

override CHUNKS: u32;
const SIDE = 64u;

// Word j of the step's rows: [j * SIDE + row], four numbers each.
var<workgroup> tile_w: array<Packed, 8u * SIDE>;
var<workgroup> tile_x: array<Packed, 8u * SIDE>;
// Of each weight row: the scales of its halves and its offset. Of each row of x: its scale and its sum.
var<workgroup> scales_w: array<vec4<f32>, SIDE>;
var<workgroup> scales_x: array<vec2<f32>, SIDE>;

fn keep_weights(row: u32, index: u32) {
    let w = chunk(index);
    tile_w[row] = pack_low(w.words[0]);
    tile_w[SIDE + row] = pack_low(w.words[1]);
    tile_w[2u * SIDE + row] = pack_low(w.words[2]);
    tile_w[3u * SIDE + row] = pack_low(w.words[3]);
    tile_w[4u * SIDE + row] = pack_high(w.words[4]);
    tile_w[5u * SIDE + row] = pack_high(w.words[5]);
    tile_w[6u * SIDE + row] = pack_high(w.words[6]);
    tile_w[7u * SIDE + row] = pack_high(w.words[7]);
    scales_w[row] = vec4<f32>(w.scale, w.offset, 0.0);
}

fn keep_inputs(row: u32, chunk_of_x: u32) {
    var largest = vec4<f32>();
    for (var j = 0u; j < 8u; j++) {
        largest = max(largest, abs(x[chunk_of_x * 8u + j]));
    }
    let most = max(max(largest.x, largest.y), max(largest.z, largest.w));
    // Zeros stay zeros; the smallest normal number keeps the quotient finite.
    let scale = max(most / RANGE, 0x1p-126);
    var sum = 0.0;
    for (var j = 0u; j < 8u; j++) {
        let packed = pack_inputs(x[chunk_of_x * 8u + j] / scale);
        tile_x[j * SIDE + row] = packed;
        sum += sum_of(packed);
    }
    scales_x[row] = vec2<f32>(scale, scale * sum);
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
            keep_weights(row, first_w + c);
        } else {
            keep_inputs(row, first_x + c);
        }
        workgroupBarrier();
        let a = scales_w[own_row_tile * 4u];
        let b = scales_w[own_row_tile * 4u + 1u];
        let d = scales_w[own_row_tile * 4u + 2u];
        let e = scales_w[own_row_tile * 4u + 3u];
        let offsets = vec4<f32>(a.z, b.z, d.z, e.z);
        for (var half = 0u; half < 2u; half++) {
            let scales = vec4<f32>(a[half], b[half], d[half], e[half]);
            var parts = array<vec4<Sum>, 8>();
            for (var j = half * 4u; j < half * 4u + 4u; j++) {
                let at = j * SIDE + own_row_tile * 4u;
                let w0 = tile_w[at];
                let w1 = tile_w[at + 1u];
                let w2 = tile_w[at + 2u];
                let w3 = tile_w[at + 3u];
                for (var m = 0u; m < 8u; m++) {
                    let i = tile_x[j * SIDE + own_m + m];
                    parts[m] += vec4<Sum>(product(w0, i), product(w1, i), product(w2, i), product(w3, i));
                }
            }
            for (var m = 0u; m < 8u; m++) {
                sums[m] += vec4<f32>(parts[m]) * (scales * scales_x[own_m + m].x);
            }
        }
        for (var m = 0u; m < 8u; m++) {
            sums[m] += offsets * scales_x[own_m + m].y;
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
