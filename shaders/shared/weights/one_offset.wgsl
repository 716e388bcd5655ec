// Types with an offset that both halves of a chunk share, or with none.
alias Offset = f32;

fn low_offset(offset: Offset) -> f32 {
    return offset;
}

fn high_offset(offset: Offset) -> f32 {
    return offset;
}

// What offsets are multiplied with: the sums of the inputs that meet either half, given as vectors whose components are to be added.
fn input_sums(low: vec4<f32>, high: vec4<f32>) -> Offset {
    return dot(low + high, vec4<f32>(1.0));
}

fn offset_product(offset: Offset, sums: Offset) -> f32 {
    return offset * sums;
}

fn offset_products(a: Offset, b: Offset, c: Offset, d: Offset, sums: Offset) -> vec4<f32> {
    return vec4<f32>(a, b, c, d) * sums;
}
