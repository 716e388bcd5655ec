// `bias` is f32, one value a weight row of the shard; rows are counted within their expert.
fn bias_of(m: u32, rows: vec4<u32>) -> vec4<f32> {
    let at = rows + vec4<u32>(expert_row);
    return vec4<f32>(bias[at.x], bias[at.y], bias[at.z], bias[at.w]);
}
