// The products of tile.wgsl in small numbers with scales, for quantised weights. The weights' own numbers go into workgroup memory as they
// are; a chunk of x is divided by its largest value and kept as numbers up to RANGE. A product of sixteen pairs is taken in the small type
// and only then meets its scales, in f32. dot4.wgsl and f16.wgsl say what the small type is:
// Packed (four numbers), Sum, RANGE, pack_low, pack_high, pack_inputs, sum_of, product.

// Word j of the step's rows: [j * SIDE + row], four numbers each.
var<workgroup> tile_w: array<Packed, 8u * SIDE>;
var<workgroup> tile_x: array<Packed, 8u * SIDE>;
// The scales of the halves of a weight row and its offset; the scale of a row of x and its sums.
struct WeightScales {
    scale: vec2<f32>,
    offset: Offset,
}
struct InputScales {
    scale: f32,
    sums: Offset,
}
var<workgroup> scales_w: array<WeightScales, SIDE>;
var<workgroup> scales_x: array<InputScales, SIDE>;

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
    scales_w[row] = WeightScales(w.scale, w.offset);
}

fn keep_inputs(row: u32, chunk_of_x: u32) {
    var largest = vec4<f32>();
    for (var j = 0u; j < 8u; j++) {
        largest = max(largest, abs(x[chunk_of_x * 8u + j]));
    }
    let most = max(max(largest.x, largest.y), max(largest.z, largest.w));
    // Zeros stay zeros; the smallest normal number keeps the quotient finite.
    let scale = max(most / RANGE, 0x1p-126);
    var sums = vec2<f32>();
    for (var j = 0u; j < 8u; j++) {
        let packed = pack_inputs(x[chunk_of_x * 8u + j] / scale);
        tile_x[j * SIDE + row] = packed;
        sums[j / 4u] += sum_of(packed);
    }
    scales_x[row] = InputScales(scale, scale * input_sums(vec4<f32>(sums.x, 0.0, 0.0, 0.0), vec4<f32>(sums.y, 0.0, 0.0, 0.0)));
}

fn multiply(first_w: u32, first_x: u32, sums: ptr<function, array<vec4<f32>, 8>>) {
    let a = scales_w[first_w];
    let b = scales_w[first_w + 1u];
    let d = scales_w[first_w + 2u];
    let e = scales_w[first_w + 3u];
    for (var half = 0u; half < 2u; half++) {
        let scales = vec4<f32>(a.scale[half], b.scale[half], d.scale[half], e.scale[half]);
        var parts = array<vec4<Sum>, 8>();
        for (var j = half * 4u; j < half * 4u + 4u; j++) {
            let at = j * SIDE + first_w;
            let w0 = tile_w[at];
            let w1 = tile_w[at + 1u];
            let w2 = tile_w[at + 2u];
            let w3 = tile_w[at + 3u];
            for (var m = 0u; m < 8u; m++) {
                let i = tile_x[j * SIDE + first_x + m];
                parts[m] += vec4<Sum>(product(w0, i), product(w1, i), product(w2, i), product(w3, i));
            }
        }
        for (var m = 0u; m < 8u; m++) {
            (*sums)[m] += vec4<f32>(parts[m]) * (scales * scales_x[first_x + m].scale);
        }
    }
    for (var m = 0u; m < 8u; m++) {
        (*sums)[m] += offset_products(a.offset, b.offset, d.offset, e.offset, scales_x[first_x + m].sums);
    }
}
