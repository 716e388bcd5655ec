// Numbers from 0 to 15 in the low nibbles of bytes; what the high nibbles hold is no matter. A number is converted where it stands in its
// word, without a shift, and so comes out 256 to the power of its place too large; that is exact in f32, and SPREAD takes it back.
const SPREAD = vec4<f32>(1.0, 0x1p-8, 0x1p-16, 0x1p-24);

fn numbers(word: Word) -> vec4<f32> {
    return vec4<f32>(vec4<i32>(vec4<u32>(word) & vec4<u32>(0xfu, 0xf00u, 0xf0000u, 0xf000000u)));
}

fn bytes_of(word: Word) -> u32 {
    return word & 0x0f0f0f0fu;
}
