// The bias of a layer norm. bias: [COLS] f32.
fn bias_of(i: u32) -> vec4<f32> {
    return bias[i];
}
