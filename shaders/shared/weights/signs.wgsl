// Bytes from 1 to 127, of which those whose bit is set are negated.
fn negated(bytes: u32, signs: u32) -> u32 {
    let ones = spread_bits(signs);
    return (bytes ^ (ones * 255u)) + ones;
}

// The lowest seven bits, and an eighth that makes the number of set bits even.
fn even_signs(bits: u32) -> u32 {
    let seven = bits & 127u;
    return seven | ((countOneBits(seven) & 1u) << 7u);
}
