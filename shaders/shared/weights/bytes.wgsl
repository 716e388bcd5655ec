// Quantised types: a word holds four numbers in its bytes.
alias Word = u32;

// A chunk from the words of its first sixteen numbers and of its last.
fn chunk_of(low: vec4<u32>, high: vec4<u32>, scale: vec2<f32>, offset: Offset) -> Chunk {
    return Chunk(array<Word, 8>(low.x, low.y, low.z, low.w, high.x, high.y, high.z, high.w), scale, offset);
}

// An unsigned number whose lowest bits are 0, in f32. Conversions take the sign bit for a sign: turned, the number is 2^31 too small.
fn top_bits(word: u32) -> f32 {
    return f32(bitcast<i32>(word ^ 0x80000000u)) + 0x1p31;
}
