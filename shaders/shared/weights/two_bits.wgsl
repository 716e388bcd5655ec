// A superblock is two halves of 128 numbers; 32 bytes of a half hold four groups of 32, two bits each. Gives the first sixteen numbers of a
// group, and the last.
fn first_two_bits(index: u32) -> vec4<u32> {
    return (weight_quants[(index >> 2u) * 2u] >> vec4<u32>(2u * (index & 3u))) & vec4<u32>(0x03030303u);
}

fn last_two_bits(index: u32) -> vec4<u32> {
    return (weight_quants[(index >> 2u) * 2u + 1u] >> vec4<u32>(2u * (index & 3u))) & vec4<u32>(0x03030303u);
}
