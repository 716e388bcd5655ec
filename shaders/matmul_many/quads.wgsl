// Matmul for many rows of x on software adapters with subgroups: out[m] (op)= weights · x[m], as shared/matmul/epilogue.wgsl finishes it.
//
// x: [rows, CHUNKS * 32] f32; weights: [ROWS, CHUNKS * 32] of any type; out: [rows, OUT_STRIDE] f32.
// Dispatch: an invocation computes a unit of four weight rows for two rows of x; x covers the units in workgroups of 32, y the rows of x in
// pairs. Quads share their loads of x, and two rows of x each word that is unpacked; four rows of x need more registers than
// there are.

override CHUNKS: u32;

// The four rows' dot products with four values of each row of x.
struct Pair {
    p: vec4<f32>,
    q: vec4<f32>,
}

fn add_dots(sums: Pair, a: Word, b: Word, c: Word, d: Word, p: vec4<f32>, q: vec4<f32>) -> Pair {
    let na = numbers(a);
    let nb = numbers(b);
    let nc = numbers(c);
    let nd = numbers(d);
    return Pair(
        sums.p + vec4<f32>(dot(na, p), dot(nb, p), dot(nc, p), dot(nd, p)),
        sums.q + vec4<f32>(dot(na, q), dot(nb, q), dot(nc, q), dot(nd, q)),
    );
}

@compute @workgroup_size(32)
fn main(
    @builtin(workgroup_id) group: vec3<u32>,
    @builtin(global_invocation_id) id: vec3<u32>,
    @builtin(subgroup_invocation_id) lane: u32,
) {
    let unit = id.x;
    let m = group.y * 2u;
    if m >= batch.count {
        return;
    }
    // Invocations past the last unit stay, for their quads' sake; their rows are clamped, and nothing is stored.
    let first = rows_of(unit) * CHUNKS;
    let second_m = min(m + 1u, batch.count - 1u);
    var sums = Pair();
    for (var c = 0u; c < CHUNKS; c++) {
        let w = four_chunks(first, c);
        let p = quarter(m * CHUNKS + c, lane % 4u);
        let q = quarter(second_m * CHUNKS + c, lane % 4u);
        var low = Pair();
        low = add_dots(low, w.a.words[0], w.b.words[0], w.c.words[0], w.d.words[0], quadBroadcast(p.low, 0u), quadBroadcast(q.low, 0u));
        low = add_dots(low, w.a.words[1], w.b.words[1], w.c.words[1], w.d.words[1], quadBroadcast(p.low, 1u), quadBroadcast(q.low, 1u));
        low = add_dots(low, w.a.words[2], w.b.words[2], w.c.words[2], w.d.words[2], quadBroadcast(p.low, 2u), quadBroadcast(q.low, 2u));
        low = add_dots(low, w.a.words[3], w.b.words[3], w.c.words[3], w.d.words[3], quadBroadcast(p.low, 3u), quadBroadcast(q.low, 3u));
        var high = Pair();
        high = add_dots(high, w.a.words[4], w.b.words[4], w.c.words[4], w.d.words[4], quadBroadcast(p.high, 0u), quadBroadcast(q.high, 0u));
        high = add_dots(high, w.a.words[5], w.b.words[5], w.c.words[5], w.d.words[5], quadBroadcast(p.high, 1u), quadBroadcast(q.high, 1u));
        high = add_dots(high, w.a.words[6], w.b.words[6], w.c.words[6], w.d.words[6], quadBroadcast(p.high, 2u), quadBroadcast(q.high, 2u));
        high = add_dots(high, w.a.words[7], w.b.words[7], w.c.words[7], w.d.words[7], quadBroadcast(p.high, 3u), quadBroadcast(q.high, 3u));
        sums.p = add_scaled(sums.p, low.p, high.p, w, p.sum);
        sums.q = add_scaled(sums.q, low.q, high.q, w, q.sum);
    }
    if unit < units() {
        finish(m, unit, sums.p);
        if m + 1u < batch.count {
            finish(m + 1u, unit, sums.q);
        }
    }
}
