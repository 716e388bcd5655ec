// Entries of a list: 16 bits each, two in a word.
fn code_of(entry: u32) -> u32 {
    return weight_grid[entry >> 1u] >> (16u * (entry & 1u));
}
