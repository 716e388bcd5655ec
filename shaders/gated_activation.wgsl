// Gated activation: out[r] = act(gate[r]) * up[r] (see shared/activate.wgsl), for gates and ups that two matmuls have made.
//
// gate, out: [rows, COLS] f32; up: columns UP_OFFSET.. of [rows, UP_STRIDE]. All are multiples of 4.
// Dispatch: x covers COLS / 4 in workgroups of 64, y is the row. Nothing is shared, so nothing waits.

override COLS: u32;
override UP_STRIDE: u32;
override UP_OFFSET: u32;
override ACTIVATION: u32;

@compute @workgroup_size(64)
fn main(@builtin(global_invocation_id) id: vec3<u32>) {
    if id.y >= batch.count || id.x >= COLS / 4u {
        return;
    }
    let at = id.y * (COLS / 4u) + id.x;
    let g = gate[at];
    let u = up[(id.y * UP_STRIDE + UP_OFFSET) / 4u + id.x];
    out[at] = vec4<f32>(
        gated(g.x, u.x, ACTIVATION), gated(g.y, u.y, ACTIVATION), gated(g.z, u.z, ACTIVATION), gated(g.w, u.w, ACTIVATION),
    );
}
