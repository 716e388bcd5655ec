// Predicts four streams from all of them: stream b += sum over a of c[4 b + a] * stream a, with c = learned * router of the row.
//
// x0 to x3: [rows, COLS] f32, in place; router: [rows, 4] f32; learned: [16, 4] f32. Dispatch: x covers COLS in workgroups of 64, y is the row.

override COLS: u32;

// The coefficients 4 b to 4 b + 3 of a row.
fn coefficients(b: u32, routed: vec4<f32>) -> vec4<f32> {
    var c = vec4<f32>();
    for (var a = 0u; a < 4u; a++) {
        let at = (4u * b + a) * 4u;
        c[a] = dot(vec4<f32>(learned[at], learned[at + 1u], learned[at + 2u], learned[at + 3u]), routed);
    }
    return c;
}

@compute @workgroup_size(64)
fn main(@builtin(global_invocation_id) id: vec3<u32>) {
    if id.y >= batch.count || id.x >= COLS {
        return;
    }
    let at = id.y * COLS + id.x;
    let r = id.y * 4u;
    let routed = vec4<f32>(router[r], router[r + 1u], router[r + 2u], router[r + 3u]);
    let x = vec4<f32>(x0[at], x1[at], x2[at], x3[at]);
    x0[at] = x.x + dot(coefficients(0u, routed), x);
    x1[at] = x.y + dot(coefficients(1u, routed), x);
    x2[at] = x.z + dot(coefficients(2u, routed), x);
    x3[at] = x.w + dot(coefficients(3u, routed), x);
}
