// Entries of four digits of three bits, each in a nibble of a code of 16 bits; here in a byte of its own.
fn four_digits(entry: u32) -> u32 {
    let code = code_of(entry);
    return (code & 0xfu) | ((code & 0xf0u) << 4u) | ((code & 0xf00u) << 8u) | ((code & 0xf000u) << 12u);
}
