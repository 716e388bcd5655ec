// The dot products of a chunk of each of four rows, one after the other: fastest while the code stays small.
fn four_dots(chunks: vec4<u32>, i: Inputs) -> vec4<f32> {
    return vec4<f32>(
        dot_chunk(chunk(chunks.x), i), dot_chunk(chunk(chunks.y), i),
        dot_chunk(chunk(chunks.z), i), dot_chunk(chunk(chunks.w), i),
    );
}
