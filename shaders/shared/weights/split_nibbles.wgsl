// Blocks whose first sixteen numbers are low nibbles, and whose last sixteen are the high nibbles of the same words.
const LOW_SPREAD = LOW_NIBBLE_SPREAD;
const HIGH_SPREAD = HIGH_NIBBLE_SPREAD;

fn low_numbers(word: Word) -> vec4<f32> {
    return low_nibbles(word);
}

fn high_numbers(word: Word) -> vec4<f32> {
    return high_nibbles(word);
}

fn low_bytes(word: Word) -> u32 {
    return word & 0x0f0f0f0fu;
}

fn high_bytes(word: Word) -> u32 {
    return (word >> 4u) & 0x0f0f0f0fu;
}
