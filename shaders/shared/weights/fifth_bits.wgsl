// Fifth bits of a block of 32: bit i of the word belongs to number i. Gives those of sixteen numbers, each in bit 4 of its
// number's byte: the product puts four neighbouring bits into the lowest places of four bytes.
fn fifth_bits(sixteen: u32) -> vec4<u32> {
    let fours = (vec4<u32>(sixteen) >> vec4<u32>(0u, 4u, 8u, 12u)) & vec4<u32>(0xfu);
    return ((fours * 0x00204081u) & vec4<u32>(0x01010101u)) << vec4<u32>(4u);
}
