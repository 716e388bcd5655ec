// Numbers from 0 to 15 in the low or in the high nibbles of a word's bytes. A number is converted where it stands in its word, without
// a shift, and so comes out a power of two too large; that is exact in f32, and the spreads take it back.
const LOW_NIBBLE_SPREAD = vec4<f32>(1.0, 0x1p-8, 0x1p-16, 0x1p-24);
const HIGH_NIBBLE_SPREAD = vec4<f32>(0x1p-4, 0x1p-12, 0x1p-20, 0x1p-28);

fn low_nibbles(word: u32) -> vec4<f32> {
    return vec4<f32>(vec4<i32>(vec4<u32>(word) & vec4<u32>(0xfu, 0xf00u, 0xf0000u, 0xf000000u)));
}

fn high_nibbles(word: u32) -> vec4<f32> {
    let below = vec3<f32>(vec3<i32>(vec3<u32>(word) & vec3<u32>(0xf0u, 0xf000u, 0xf00000u)));
    return vec4<f32>(below, top_bits(word & 0xf0000000u));
}
