// A workgroup a row. TEAM lanes read a chunk together, so that their loads join.
const LANES: u32 = 256u;
const TEAM: u32 = 16u;
var<workgroup> bins: array<atomic<u32>, 256>;
var<workgroup> sums: array<u32, 256>;
var<workgroup> picked: Bin;

fn clear_bins(lane: u32) {
    atomicStore(&bins[lane], 0u);
    workgroupBarrier();
}

fn add_to_bin(bin: u32, amount: u32) {
    atomicAdd(&bins[bin], amount);
}

// Lane 0 sees the highest bin: a prefix sum over the lanes is the sum from the top.
fn pick_bin(wanted: u32, lane: u32) -> Bin {
    workgroupBarrier();
    let own = atomicLoad(&bins[255u - lane]);
    sums[lane] = own;
    workgroupBarrier();
    for (var reach = 1u; reach < LANES; reach *= 2u) {
        var before = 0u;
        if lane >= reach {
            before = sums[lane - reach];
        }
        workgroupBarrier();
        sums[lane] += before;
        workgroupBarrier();
    }
    let through = sums[lane];
    let above = through - own;
    if (above < wanted && wanted <= through) || (lane == 255u && through < wanted) {
        picked = Bin(255u - lane, above, own);
    }
    return workgroupUniformLoad(&picked);
}
