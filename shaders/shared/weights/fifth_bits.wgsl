// Fifth bits of a block of 32: bit i of the word belongs to number i. Gives those of sixteen numbers, each in bit 4 of its
// number's byte: the product puts four neighbouring bits 7 places further apart.
fn fifth_bits(sixteen: u32) -> vec4<u32> {
    let last = sixteen >> 8u;
    let fours = vec4<u32>((sixteen & 0xfu) * 16u, sixteen & 0xf0u, (last & 0xfu) * 16u, last & 0xf0u);
    return (fours * 0x00204081u) & vec4<u32>(0x10101010u);
}
