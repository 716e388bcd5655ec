// Types with an offset for each half of a chunk; as one_offset.wgsl.
alias Offset = vec2<f32>;

fn low_offset(offset: Offset) -> f32 {
    return offset.x;
}

fn high_offset(offset: Offset) -> f32 {
    return offset.y;
}

fn input_sums(low: vec4<f32>, high: vec4<f32>) -> Offset {
    return vec2<f32>(dot(low, vec4<f32>(1.0)), dot(high, vec4<f32>(1.0)));
}

fn offset_product(offset: Offset, sums: Offset) -> f32 {
    return dot(offset, sums);
}

fn offset_products(a: Offset, b: Offset, c: Offset, d: Offset, sums: Offset) -> vec4<f32> {
    return vec4<f32>(dot(a, sums), dot(b, sums), dot(c, sums), dot(d, sums));
}
