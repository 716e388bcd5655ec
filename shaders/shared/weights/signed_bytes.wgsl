// Chunks of types whose bytes are signed. Each byte is moved to the top of a word, which keeps its sign and makes it
// 2^24 times too large; the scale takes that back.
const SPREAD = vec4<f32>(1.0);

fn numbers(word: u32) -> vec4<f32> {
    let top = vec4<u32>(word << 24u, word << 16u, word << 8u, word) & vec4<u32>(0xff000000u);
    return vec4<f32>(vec4<i32>(top));
}

fn chunk(index: u32) -> Chunk {
    let b = bytes(index);
    return Chunk(array<vec4<f32>, 8>(
        numbers(b.low.x), numbers(b.low.y), numbers(b.low.z), numbers(b.low.w),
        numbers(b.high.x), numbers(b.high.y), numbers(b.high.z), numbers(b.high.w),
    ), b.scale * 0x1p-24, b.offset);
}
