// What matmuls of experts have in common.
override CHUNKS: u32;
override USED: u32;
override EXPERTS: u32;
override FIRST_EXPERT: u32;
override X_OF_PAIRS: bool;

// The first weight row of the expert at hand, for bias.wgsl.
var<private> expert_row: u32;

fn x_row_of(pair: u32) -> u32 {
    return select(pair / USED, pair, X_OF_PAIRS);
}
