// One invocation a row: its bins are its own, and nobody waits.
const LANES: u32 = 1u;
const TEAM: u32 = 1u;
var<private> bins: array<u32, 256>;

fn clear_bins(lane: u32) {
    for (var i = 0u; i < 256u; i++) {
        bins[i] = 0u;
    }
}

fn add_to_bin(bin: u32, amount: u32) {
    bins[bin] += amount;
}

fn pick_bin(wanted: u32, lane: u32) -> Bin {
    var above = 0u;
    var bin = 255u;
    while bin > 0u && above + bins[bin] < wanted {
        above += bins[bin];
        bin -= 1u;
    }
    return Bin(bin, above, bins[bin]);
}
