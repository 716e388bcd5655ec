// Numbers from -128 to 127. Each byte is moved to the top of a word, which keeps its sign and makes it 2^24 times too large; SPREAD takes
// that back.
const SPREAD = vec4<f32>(0x1p-24);

fn numbers(word: Word) -> vec4<f32> {
    let top = vec4<u32>(word << 24u, word << 16u, word << 8u, word) & vec4<u32>(0xff000000u);
    return vec4<f32>(vec4<i32>(top));
}

fn bytes_of(word: Word) -> u32 {
    return word;
}
