// The products of tile.wgsl in f32: both tiles take 16 KiB of workgroup memory, the smallest limit there is, and twelve reads of it feed
// 32 multiplications.

// Column k of the step's rows: [k * SIDE + row].
var<workgroup> tile_w: array<f32, 32u * SIDE>;
var<workgroup> tile_x: array<f32, 32u * SIDE>;

fn keep_weights(row: u32, index: u32) {
    let w = chunk(index);
    let low = LOW_SPREAD * w.scale.x;
    let high = HIGH_SPREAD * w.scale.y;
    keep_four_weights(row, low_numbers(w.words[0]) * low + low_offset(w.offset));
    keep_four_weights(row + 4u * SIDE, low_numbers(w.words[1]) * low + low_offset(w.offset));
    keep_four_weights(row + 8u * SIDE, low_numbers(w.words[2]) * low + low_offset(w.offset));
    keep_four_weights(row + 12u * SIDE, low_numbers(w.words[3]) * low + low_offset(w.offset));
    keep_four_weights(row + 16u * SIDE, high_numbers(w.words[4]) * high + high_offset(w.offset));
    keep_four_weights(row + 20u * SIDE, high_numbers(w.words[5]) * high + high_offset(w.offset));
    keep_four_weights(row + 24u * SIDE, high_numbers(w.words[6]) * high + high_offset(w.offset));
    keep_four_weights(row + 28u * SIDE, high_numbers(w.words[7]) * high + high_offset(w.offset));
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

fn multiply(first_w: u32, first_x: u32, sums: ptr<function, array<vec4<f32>, 8>>) {
    for (var k = 0u; k < 32u; k++) {
        let at = k * SIDE + first_w;
        let w = vec4<f32>(tile_w[at], tile_w[at + 1u], tile_w[at + 2u], tile_w[at + 3u]);
        for (var m = 0u; m < 8u; m++) {
            (*sums)[m] += w * tile_x[k * SIDE + first_x + m];
        }
    }
}
