// Corrects four predicted streams by what a layer has made of the first: stream b += (1 + c[b]) * (made - stream 0), with c = learned * router
// of the row. Then made becomes the first stream by columns of what is learned behind the coefficients.
//
// x0 to x3, made: [rows, COLS] f32, in place; router: [rows, 4] f32; learned: [4, 4] f32, then [COLS].
// Dispatch: x covers COLS in workgroups of 64, y is the row.

override COLS: u32;

fn coefficient(b: u32, routed: vec4<f32>) -> f32 {
    let at = 4u * b;
    return 1.0 + dot(vec4<f32>(learned[at], learned[at + 1u], learned[at + 2u], learned[at + 3u]), routed);
}

@compute @workgroup_size(64)
fn main(@builtin(global_invocation_id) id: vec3<u32>) {
    if id.y >= batch.count || id.x >= COLS {
        return;
    }
    let at = id.y * COLS + id.x;
    let r = id.y * 4u;
    let routed = vec4<f32>(router[r], router[r + 1u], router[r + 2u], router[r + 3u]);
    let change = made[at] - x0[at];
    let first = x0[at] + coefficient(0u, routed) * change;
    x0[at] = first;
    x1[at] += coefficient(1u, routed) * change;
    x2[at] += coefficient(2u, routed) * change;
    x3[at] += coefficient(3u, routed) * change;
    made[at] = first * learned[16u + id.x];
}
