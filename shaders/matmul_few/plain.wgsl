// Matmul for few rows of x, without barriers: out[m] (op)= weights · x[m], as shared/matmul/epilogue.wgsl finishes it.
//
// x: [rows, CHUNKS * 32] f32; weights: [ROWS, CHUNKS * 32] of any type; out: [rows, OUT_STRIDE] f32.
// Dispatch: an invocation computes a unit of four weight rows for one row of x; x covers the units in workgroups of 32, y is the
// row of x. A software adapter pays dearly for each load, whatever its size: four weight rows share every load of x, and
// nothing is exchanged between invocations, since a barrier there is a switch between all of them.

override CHUNKS: u32;

@compute @workgroup_size(32)
fn main(@builtin(global_invocation_id) id: vec3<u32>) {
    let unit = id.x;
    let m = id.y;
    if m >= batch.count || unit >= units() {
        return;
    }
    let first = rows_of(unit) * CHUNKS;
    let first_x = m * CHUNKS;
    var sums = vec4<f32>();
    for (var c = 0u; c < CHUNKS; c++) {
        let i = inputs(first_x + c);
        sums.x += dot_chunk(chunk(first.x + c), i);
        sums.y += dot_chunk(chunk(first.y + c), i);
        sums.z += dot_chunk(chunk(first.z + c), i);
        sums.w += dot_chunk(chunk(first.w + c), i);
    }
    finish(m, unit, sums);
}
