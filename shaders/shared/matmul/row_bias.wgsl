// `bias` is f32 [rows, ROWS]: each row of x has its own.
fn bias_of(m: u32, rows: vec4<u32>) -> vec4<f32> {
    let at = rows + vec4<u32>(m * ROWS);
    return vec4<f32>(bias[at.x], bias[at.y], bias[at.z], bias[at.w]);
}
