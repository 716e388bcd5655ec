// BF16: the upper halves of f32s.
fn low_numbers(word: Word) -> vec4<f32> {
    return bitcast<vec4<f32>>(vec4<u32>(word.x << 16u, word.x & 0xffff0000u, word.y << 16u, word.y & 0xffff0000u));
}

fn high_numbers(word: Word) -> vec4<f32> {
    return low_numbers(word);
}
