// Sixteen numbers are the values of low nibbles, sixteen those of the high nibbles of the same words.
fn chunk_of_values(q: vec4<u32>, scale: f32) -> Chunk {
    let nibbles = vec4<u32>(0x0f0f0f0fu);
    return chunk_of(values_of(q & nibbles), values_of((q >> vec4<u32>(4u)) & nibbles), vec2<f32>(scale), 0.0);
}
