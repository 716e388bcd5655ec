// F16.
fn low_numbers(word: Word) -> vec4<f32> {
    return vec4<f32>(unpack2x16float(word.x), unpack2x16float(word.y));
}

fn high_numbers(word: Word) -> vec4<f32> {
    return low_numbers(word);
}
