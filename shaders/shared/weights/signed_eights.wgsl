// Entries of eight digits of two bits, which stand for 8, 25 and 43, with a sign for each.
fn eights_of(digits: u32) -> u32 {
    return 8u * ONES + digits * 17u + ((digits >> 1u) & ONES);
}

fn signed_eight(entry: u32, signs: u32) -> vec2<u32> {
    let code = code_of(entry);
    return vec2<u32>(
        negated(eights_of(spread_pairs(code)), signs),
        negated(eights_of(spread_pairs(code >> 8u)), signs >> 4u),
    );
}
