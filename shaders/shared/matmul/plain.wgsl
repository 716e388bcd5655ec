// A matmul without barriers: out[m] (op)= weights · x[m], as epilogue.wgsl finishes it.
//
// x: [rows, CHUNKS * 32] f32; weights: [ROWS, CHUNKS * 32] of any type; out: [rows, OUT_STRIDE] f32.
// Dispatch: an invocation computes a row tile for R rows of x (1, 2, 4 or 8, a line in front of this text); x covers the row tiles in workgroups
// of 32, y the rows of x.
// Made for software adapters, where a barrier is a switch between all invocations and every load is dear: four weight rows share the
// inputs, quads may (quad_inputs.wgsl), and weights are unpacked once for all R rows of x. These have names, since an array would be memory
// to a compiler that does not unroll. The loop over the weight rows stays one: code that outgrows the processor's cache of decoded
// instructions takes half as long again, and twice as long to compile.

override CHUNKS: u32;

// Chunk `k` of row `m` of x; of rows past the last, the last one's again.
fn inputs_of(m: u32, k: u32, lane: u32) -> Inputs {
    return inputs(min(m, batch.count - 1u) * CHUNKS + k, lane);
}

fn finish_valid(m: u32, row_tile: u32, sums: vec4<f32>) {
    if m < batch.count {
        finish(m, row_tile, sums);
    }
}

@compute @workgroup_size(32)
fn main(
    @builtin(workgroup_id) group: vec3<u32>,
    @builtin(global_invocation_id) id: vec3<u32>,
    @builtin(local_invocation_index) lane: u32,
) {
    let row_tile = id.x;
    let m = group.y * R;
    if m >= batch.count {
        return;
    }
    // Invocations past the last row tile stay, for their quads' sake; their rows are clamped, and nothing is stored.
    let first = rows_of(row_tile) * CHUNKS;
    var a = vec4<f32>();
    var b = vec4<f32>();
    var c = vec4<f32>();
    var d = vec4<f32>();
    var e = vec4<f32>();
    var f = vec4<f32>();
    var g = vec4<f32>();
    var h = vec4<f32>();
    for (var k = 0u; k < CHUNKS; k++) {
        var i: array<Inputs, 8>;
        i[0] = inputs_of(m, k, lane);
        if R > 1u {
            i[1] = inputs_of(m + 1u, k, lane);
        }
        if R > 2u {
            i[2] = inputs_of(m + 2u, k, lane);
            i[3] = inputs_of(m + 3u, k, lane);
        }
        if R > 4u {
            i[4] = inputs_of(m + 4u, k, lane);
            i[5] = inputs_of(m + 5u, k, lane);
            i[6] = inputs_of(m + 6u, k, lane);
            i[7] = inputs_of(m + 7u, k, lane);
        }
        for (var n = 0u; n < 4u; n++) {
            let w = numbers(chunk(first[n] + k));
            a += in_place(n, dot_numbers(w, i[0]));
            if R > 1u {
                b += in_place(n, dot_numbers(w, i[1]));
            }
            if R > 2u {
                c += in_place(n, dot_numbers(w, i[2]));
                d += in_place(n, dot_numbers(w, i[3]));
            }
            if R > 4u {
                e += in_place(n, dot_numbers(w, i[4]));
                f += in_place(n, dot_numbers(w, i[5]));
                g += in_place(n, dot_numbers(w, i[6]));
                h += in_place(n, dot_numbers(w, i[7]));
            }
        }
    }
    if row_tile >= row_tiles() {
        return;
    }
    finish(m, row_tile, a);
    if R > 1u {
        finish_valid(m + 1u, row_tile, b);
    }
    if R > 2u {
        finish_valid(m + 2u, row_tile, c);
        finish_valid(m + 3u, row_tile, d);
    }
    if R > 4u {
        finish_valid(m + 4u, row_tile, e);
        finish_valid(m + 5u, row_tile, f);
        finish_valid(m + 6u, row_tile, g);
        finish_valid(m + 7u, row_tile, h);
    }
}
