// Numbers from 0 to 127. A byte is converted where it stands in its word, without a shift, and so comes out 256 to the power of its
// place too large; that is exact in f32, and the spread takes it back.
const LOW_SPREAD = vec4<f32>(1.0, 0x1p-8, 0x1p-16, 0x1p-24);
const HIGH_SPREAD = LOW_SPREAD;

fn low_numbers(word: Word) -> vec4<f32> {
    return vec4<f32>(vec4<i32>(vec4<u32>(word) & vec4<u32>(0xffu, 0xff00u, 0xff0000u, 0xff000000u)));
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
