// Entries of eight digits of two bits around 1, and an eighth more, or less where the lowest bit of `is_less` is set: eight times that.
fn shifted_eight(entry: u32, is_less: u32) -> vec2<u32> {
    let code = code_of(entry);
    let digits = vec2<u32>(spread_pairs(code), spread_pairs(code >> 8u));
    let zero = vec2<u32>((0x80u - 8u + 1u - 2u * (is_less & 1u)) * ONES);
    return (digits * 8u + zero) ^ vec2<u32>(HIGHEST);
}
