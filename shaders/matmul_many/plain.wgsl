// Matmul for many rows of x, without barriers: out[m] (op)= weights · x[m], as shared/matmul/epilogue.wgsl finishes it.
//
// x: [rows, CHUNKS * 32] f32; weights: [ROWS, CHUNKS * 32] of any type; out: [rows, OUT_STRIDE] f32.
// Dispatch: an invocation computes a tile of four weight rows by four rows of x in registers; x covers the units of weight rows in
// workgroups of 32, y the rows of x in fours. Each chunk of weights is unpacked once for four rows of x.

override CHUNKS: u32;

@compute @workgroup_size(32)
fn main(@builtin(global_invocation_id) id: vec3<u32>) {
    let unit = id.x;
    let m = id.y * 4u;
    if m >= batch.count || unit >= units() {
        return;
    }
    let first = rows_of(unit) * CHUNKS;
    // Rows past the last are the last one again: in bounds, and not stored.
    let first_x = min(vec4<u32>(m) + vec4<u32>(0u, 1u, 2u, 3u), vec4<u32>(batch.count - 1u)) * CHUNKS;
    var a = vec4<f32>();
    var b = vec4<f32>();
    var c = vec4<f32>();
    var d = vec4<f32>();
    for (var k = 0u; k < CHUNKS; k++) {
        let p = inputs(first_x.x + k);
        let q = inputs(first_x.y + k);
        let r = inputs(first_x.z + k);
        let s = inputs(first_x.w + k);
        let w0 = chunk(first.x + k);
        a.x += dot_chunk(w0, p);
        b.x += dot_chunk(w0, q);
        c.x += dot_chunk(w0, r);
        d.x += dot_chunk(w0, s);
        let w1 = chunk(first.y + k);
        a.y += dot_chunk(w1, p);
        b.y += dot_chunk(w1, q);
        c.y += dot_chunk(w1, r);
        d.y += dot_chunk(w1, s);
        let w2 = chunk(first.z + k);
        a.z += dot_chunk(w2, p);
        b.z += dot_chunk(w2, q);
        c.z += dot_chunk(w2, r);
        d.z += dot_chunk(w2, s);
        let w3 = chunk(first.w + k);
        a.w += dot_chunk(w3, p);
        b.w += dot_chunk(w3, q);
        c.w += dot_chunk(w3, r);
        d.w += dot_chunk(w3, s);
    }
    finish(m, unit, a);
    if m + 1u < batch.count {
        finish(m + 1u, unit, b);
    }
    if m + 2u < batch.count {
        finish(m + 2u, unit, c);
    }
    if m + 3u < batch.count {
        finish(m + 3u, unit, d);
    }
}
