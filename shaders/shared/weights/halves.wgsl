// Types of 16 bits: two weights a word, low half first.
alias Word = vec2<u32>;
const OFFSET = false;
const LOW_SPREAD = vec4<f32>(1.0);
const HIGH_SPREAD = LOW_SPREAD;

fn chunk(index: u32) -> Chunk {
    let a = weight_quants[index * 4u];
    let b = weight_quants[index * 4u + 1u];
    let c = weight_quants[index * 4u + 2u];
    let d = weight_quants[index * 4u + 3u];
    return Chunk(array<Word, 8>(a.xy, a.zw, b.xy, b.zw, c.xy, c.zw, d.xy, d.zw), vec2<f32>(1.0), 0.0);
}
