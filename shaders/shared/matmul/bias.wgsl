// `bias` is f32 [ROWS], one value a weight row.
fn bias_of(m: u32, rows: vec4<u32>) -> vec4<f32> {
    return vec4<f32>(bias[rows.x], bias[rows.y], bias[rows.z], bias[rows.w]);
}
