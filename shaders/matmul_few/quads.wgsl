// Matmul for few rows of x on software adapters with subgroups: out[m] (op)= weights · x[m], as shared/matmul/epilogue.wgsl finishes it.
//
// x: [rows, CHUNKS * 32] f32; weights: [ROWS, CHUNKS * 32] of any type; out: [rows, OUT_STRIDE] f32.
// Dispatch: as plain.wgsl, an invocation computes a unit of four weight rows for one row of x; x covers the units in workgroups of 32, y is
// the row of x. Quads share their loads of x, which makes it a third faster than plain.wgsl there.

override CHUNKS: u32;

fn dots(a: Word, b: Word, c: Word, d: Word, v: vec4<f32>) -> vec4<f32> {
    return vec4<f32>(dot(numbers(a), v), dot(numbers(b), v), dot(numbers(c), v), dot(numbers(d), v));
}

@compute @workgroup_size(32)
fn main(
    @builtin(workgroup_id) group: vec3<u32>,
    @builtin(global_invocation_id) id: vec3<u32>,
    @builtin(subgroup_invocation_id) lane: u32,
) {
    let unit = id.x;
    let m = group.y;
    if m >= batch.count {
        return;
    }
    // Invocations past the last unit stay, for their quads' sake; their rows are clamped, and nothing is stored.
    let first = rows_of(unit) * CHUNKS;
    var sums = vec4<f32>();
    for (var c = 0u; c < CHUNKS; c++) {
        let w = four_chunks(first, c);
        let i = quarter(m * CHUNKS + c, lane % 4u);
        var low = dots(w.a.words[0], w.b.words[0], w.c.words[0], w.d.words[0], quadBroadcast(i.low, 0u));
        low += dots(w.a.words[1], w.b.words[1], w.c.words[1], w.d.words[1], quadBroadcast(i.low, 1u));
        low += dots(w.a.words[2], w.b.words[2], w.c.words[2], w.d.words[2], quadBroadcast(i.low, 2u));
        low += dots(w.a.words[3], w.b.words[3], w.c.words[3], w.d.words[3], quadBroadcast(i.low, 3u));
        var high = dots(w.a.words[4], w.b.words[4], w.c.words[4], w.d.words[4], quadBroadcast(i.high, 0u));
        high += dots(w.a.words[5], w.b.words[5], w.c.words[5], w.d.words[5], quadBroadcast(i.high, 1u));
        high += dots(w.a.words[6], w.b.words[6], w.c.words[6], w.d.words[6], quadBroadcast(i.high, 2u));
        high += dots(w.a.words[7], w.b.words[7], w.c.words[7], w.d.words[7], quadBroadcast(i.high, 3u));
        sums = add_scaled(sums, low, high, w, i.sum);
    }
    if unit < units() {
        finish(m, unit, sums);
    }
}
