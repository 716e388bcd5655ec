// Matmul for many rows of x, without barriers: out[m] (op)= weights · x[m], as shared/matmul/epilogue.wgsl finishes it.
//
// x: [rows, CHUNKS * 32] f32; weights: [ROWS, CHUNKS * 32] of any type; out: [rows, OUT_STRIDE] f32.
// Dispatch: an invocation computes a tile of four weight rows by four rows of x; x covers the row tiles in workgroups of 32, y the
// rows of x in fours. Each word of weights is unpacked once for four rows of x. The loop over the weight rows stays a loop, for the reason that
// gemv/rows_in_loop.wgsl gives. Otherwise as gemv/plain.wgsl.

override CHUNKS: u32;

// The dot products of a chunk with four rows of x.
fn dots(w: Chunk, p: Inputs, q: Inputs, r: Inputs, s: Inputs) -> vec4<f32> {
    var low = products(low_numbers(w.words[0]), p.v[0], q.v[0], r.v[0], s.v[0]);
    low += products(low_numbers(w.words[1]), p.v[1], q.v[1], r.v[1], s.v[1]);
    low += products(low_numbers(w.words[2]), p.v[2], q.v[2], r.v[2], s.v[2]);
    low += products(low_numbers(w.words[3]), p.v[3], q.v[3], r.v[3], s.v[3]);
    var high = products(high_numbers(w.words[4]), p.v[4], q.v[4], r.v[4], s.v[4]);
    high += products(high_numbers(w.words[5]), p.v[5], q.v[5], r.v[5], s.v[5]);
    high += products(high_numbers(w.words[6]), p.v[6], q.v[6], r.v[6], s.v[6]);
    high += products(high_numbers(w.words[7]), p.v[7], q.v[7], r.v[7], s.v[7]);
    let scaled = low * w.scale.x + high * w.scale.y;
    if OFFSET {
        return scaled + w.offset * vec4<f32>(p.sum, q.sum, r.sum, s.sum);
    }
    return scaled;
}

fn products(w: vec4<f32>, p: vec4<f32>, q: vec4<f32>, r: vec4<f32>, s: vec4<f32>) -> vec4<f32> {
    return vec4<f32>(dot(w, p), dot(w, q), dot(w, r), dot(w, s));
}

@compute @workgroup_size(32)
fn main(
    @builtin(workgroup_id) group: vec3<u32>,
    @builtin(global_invocation_id) id: vec3<u32>,
    @builtin(local_invocation_index) lane: u32,
) {
    let row_tile = id.x;
    let m = group.y * 4u;
    if m >= batch.count {
        return;
    }
    // Invocations past the last row tile stay, for their quads' sake; their rows are clamped, and nothing is stored.
    let first = rows_of(row_tile) * CHUNKS;
    // Rows of x past the last are the last one again.
    let rows = min(vec4<u32>(m) + vec4<u32>(0u, 1u, 2u, 3u), vec4<u32>(batch.count - 1u)) * CHUNKS;
    var a = vec4<f32>();
    var b = vec4<f32>();
    var c = vec4<f32>();
    var d = vec4<f32>();
    for (var k = 0u; k < CHUNKS; k++) {
        let p = inputs(rows.x + k, lane);
        let q = inputs(rows.y + k, lane);
        let r = inputs(rows.z + k, lane);
        let s = inputs(rows.w + k, lane);
        for (var n = 0u; n < 4u; n++) {
            let sums = dots(chunk(first[n] + k), p, q, r, s);
            a += in_place(n, sums.x);
            b += in_place(n, sums.y);
            c += in_place(n, sums.z);
            d += in_place(n, sums.w);
        }
    }
    if row_tile >= row_tiles() {
        return;
    }
    finish(m, row_tile, a);
    if m + 1u < batch.count {
        finish(m + 1u, row_tile, b);
    }
    if m + 2u < batch.count {
        finish(m + 2u, row_tile, c);
    }
    if m + 3u < batch.count {
        finish(m + 3u, row_tile, d);
    }
}
