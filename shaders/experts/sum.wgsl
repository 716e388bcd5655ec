// The sum of what a row's experts give: out[r] = or += the factor of all times Σ weight * part.
//
// parts: [rows * USED, COLS] f32; choices: [rows, 2 USED], weights behind the experts; out: see shared/norm_out.wgsl. COLS is a multiple of 4.
// Dispatch: x covers COLS / 4 in workgroups of 64, y is the row.

override COLS: u32;
override USED: u32;

@compute @workgroup_size(64)
fn main(@builtin(global_invocation_id) id: vec3<u32>) {
    let row = id.y;
    if row >= batch.count || id.x >= COLS / 4u {
        return;
    }
    var sum = vec4<f32>();
    for (var n = 0u; n < USED; n++) {
        let weight = bitcast<f32>(choices[(row * 2u + 1u) * USED + n]);
        sum += weight * parts[(row * USED + n) * (COLS / 4u) + id.x];
    }
    put_normed(row, id.x, sum);
}
