// Chunks of types whose bytes are signed. Each byte is moved to the top of a word, which keeps its sign and makes it
// 2^24 times too large; the scale takes that back.
const SPREAD = vec4<f32>(1.0);

fn numbers(word: u32) -> vec4<f32> {
    let top = vec4<u32>(word << 24u, word << 16u, word << 8u, word) & vec4<u32>(0xff000000u);
    return vec4<f32>(vec4<i32>(top));
}

// The same, one by one in their own size.
fn plain_numbers(word: u32) -> vec4<f32> {
    return numbers(word) * 0x1p-24;
}

fn chunk(index: u32) -> Chunk {
    let b = bytes(index);
    return Chunk(array<vec4<f32>, 8>(
        numbers(b.low.x), numbers(b.low.y), numbers(b.low.z), numbers(b.low.w),
        numbers(b.high.x), numbers(b.high.y), numbers(b.high.z), numbers(b.high.w),
    ), b.scale * 0x1p-24, b.offset);
}

// The dot product of a chunk with i. Words are unpacked one by one beside their use, to need few registers.
fn dot_chunk(index: u32, i: Inputs) -> f32 {
    let b = bytes(index);
    var low = dot(numbers(b.low.x), i.v[0]);
    low += dot(numbers(b.low.y), i.v[1]);
    low += dot(numbers(b.low.z), i.v[2]);
    low += dot(numbers(b.low.w), i.v[3]);
    var high = dot(numbers(b.high.x), i.v[4]);
    high += dot(numbers(b.high.y), i.v[5]);
    high += dot(numbers(b.high.z), i.v[6]);
    high += dot(numbers(b.high.w), i.v[7]);
    return dot(vec2<f32>(low, high), (b.scale * 0x1p-24)) + b.offset * i.sum;
}
