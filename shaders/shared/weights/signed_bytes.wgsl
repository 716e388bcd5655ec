// Numbers from -128 to 127. Each byte is moved to the top of a word, which keeps its sign and makes it 2^24 times too large; the spread
// takes that back. (By products: see chunk.wgsl on shifts.)
const LOW_SPREAD = vec4<f32>(0x1p-24);
const HIGH_SPREAD = LOW_SPREAD;

fn low_numbers(word: Word) -> vec4<f32> {
    let top = vec4<u32>(word * 0x1000000u, word * 0x10000u, word * 0x100u, word) & vec4<u32>(0xff000000u);
    return vec4<f32>(vec4<i32>(top));
}

fn high_numbers(word: Word) -> vec4<f32> {
    return low_numbers(word);
}

fn low_bytes(word: Word) -> u32 {
    return word;
}

fn high_bytes(word: Word) -> u32 {
    return word;
}
