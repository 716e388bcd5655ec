// Chunks of types whose bytes are numbers from 0 to 127. A byte is converted where it stands in its word, without a shift,
// and so comes out 256 to the power of its place too large; that is exact in f32, and SPREAD takes it back.
const SPREAD = vec4<f32>(1.0, 0x1p-8, 0x1p-16, 0x1p-24);

fn numbers(word: u32) -> vec4<f32> {
    return vec4<f32>(vec4<i32>(vec4<u32>(word) & vec4<u32>(0xffu, 0xff00u, 0xff0000u, 0xff000000u)));
}

// The same, one by one in their own size.
fn plain_numbers(word: u32) -> vec4<f32> {
    return numbers(word) * SPREAD;
}

fn chunk(index: u32) -> Chunk {
    let b = bytes(index);
    return Chunk(array<vec4<f32>, 8>(
        numbers(b.low.x), numbers(b.low.y), numbers(b.low.z), numbers(b.low.w),
        numbers(b.high.x), numbers(b.high.y), numbers(b.high.z), numbers(b.high.w),
    ), b.scale, b.offset);
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
    return dot(vec2<f32>(low, high), b.scale) + b.offset * i.sum;
}
