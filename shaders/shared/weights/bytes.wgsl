// Quantised types: a word holds four numbers in its bytes.
alias Word = u32;

// A chunk from the words of its first sixteen numbers and of its last.
fn chunk_of(low: vec4<u32>, high: vec4<u32>, scale: vec2<f32>, offset: f32) -> Chunk {
    return Chunk(array<Word, 8>(low.x, low.y, low.z, low.w, high.x, high.y, high.z, high.w), scale, offset);
}
