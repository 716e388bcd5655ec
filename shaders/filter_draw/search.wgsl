// The search of filter_draw.wgsl: what is kept, counted or weighed into 256 bins of a range.

// What is summed, and what places are.
const BY_COUNT: u32 = 0u;       // tokens; places are keys
const BY_WEIGHT: u32 = 1u;      // weights; places are keys
const BY_DISTANCE: u32 = 2u;    // weights; places are ~distance, the nearest on top

// What is searched: the `wanted`-th unit from the top within [low, high]. Places are keys, or, among the tokens of one key, ~token.
struct Range {
    low: u32,
    high: u32,
    wanted: u32,
    by: u32,
    ties_of: u32,   // that key; 0: places are not tokens
}

// A bin, the amount in the bins above it, and its own.
struct Bin {
    index: u32,
    above: u32,
    held: u32,
}

var<workgroup> bins: array<atomic<u32>, 256>;
var<workgroup> sums: array<u32, 16>;
var<workgroup> picked: Bin;

fn clear_bins(lane: u32) {
    for (var i = lane; i < 256u; i += LANES) {
        atomicStore(&bins[i], 0u);
    }
    workgroupBarrier();
}

// Adds what lies in the range, and is kept, to bins of 2^shift places.
fn fill_bins(softmax: Softmax, cut: Cut, range: Range, shift: u32, lane: u32) {
    let by_token = range.ties_of != 0u;
    let least = select(select(range.low, cut.key, range.by == BY_DISTANCE), range.ties_of, by_token);
    for (var chunk = lane / TEAM; chunk < CHUNKS; chunk += LANES / TEAM) {
        if key_of(peaks[softmax.row * CHUNKS + chunk].x) < least {
            continue;
        }
        for (var quad = chunk * (CHUNK / 4u) + lane % TEAM; quad < (chunk + 1u) * (CHUNK / 4u); quad += TEAM) {
            let values = adjusted[quad_of(softmax.row, quad)];
            for (var i = 0u; i < 4u; i++) {
                let token = 4u * quad + i;
                let key = key_of(values[i]);
                var place = select(key, ~token, by_token);
                if range.by == BY_DISTANCE {
                    place = ~bitcast<u32>(distance_of(softmax, cut, key));
                }
                let sought = !by_token || key == range.ties_of;
                if sought && is_kept(softmax, cut, key, token) && place >= range.low && place <= range.high {
                    var amount = 1u;
                    if range.by != BY_COUNT {
                        amount = weight(softmax, key);
                    }
                    atomicAdd(&bins[(place - range.low) >> shift], amount);
                }
            }
        }
    }
    workgroupBarrier();
}

// The bin in which `wanted` is reached from the top; the lowest one if it is not reached.
fn pick_bin(wanted: u32, lane: u32) -> Bin {
    if lane < 16u {
        var sum = 0u;
        for (var i = 0u; i < 16u; i++) {
            sum += atomicLoad(&bins[16u * lane + i]);
        }
        sums[lane] = sum;
    }
    workgroupBarrier();
    if lane == 0u {
        var above = 0u;
        var sixteen = 15u;
        while sixteen > 0u && above + sums[sixteen] < wanted {
            above += sums[sixteen];
            sixteen -= 1u;
        }
        var bin = 16u * sixteen + 15u;
        while bin > 16u * sixteen && above + atomicLoad(&bins[bin]) < wanted {
            above += atomicLoad(&bins[bin]);
            bin -= 1u;
        }
        picked = Bin(bin, above, atomicLoad(&bins[bin]));
    }
    return workgroupUniformLoad(&picked);
}
