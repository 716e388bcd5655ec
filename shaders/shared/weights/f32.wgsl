// F32: words are weights.
alias Word = vec4<u32>;
const OFFSET = false;
const LOW_SPREAD = vec4<f32>(1.0);
const HIGH_SPREAD = LOW_SPREAD;

fn low_numbers(word: Word) -> vec4<f32> {
    return bitcast<vec4<f32>>(word);
}

fn high_numbers(word: Word) -> vec4<f32> {
    return low_numbers(word);
}

fn chunk(index: u32) -> Chunk {
    let at = index * 8u;
    return Chunk(array<Word, 8>(
        weight_quants[at], weight_quants[at + 1u], weight_quants[at + 2u], weight_quants[at + 3u],
        weight_quants[at + 4u], weight_quants[at + 5u], weight_quants[at + 6u], weight_quants[at + 7u],
    ), vec2<f32>(1.0), 0.0);
}
