// Second step of sampling: chooses each row's token among its chunks' best, or draws it from what the filters keep.
//
// adjusted: [rows, CHUNKS * CHUNK] f32; peaks: [rows, CHUNKS, 2] f32; places: [rows, CHUNKS]: see chunk_argmax.wgsl.
// chosen: [rows] token ids below VOCAB, or NO_TOKEN where logits are no numbers or every token is forbidden.
// Dispatch: one workgroup of LANES a row. Without filters it meets no barrier; with filters it meets few, so that a small
// workgroup is what software adapters need. (One invocation alone will not do: lavapipe ends all loops of an invocation
// after 65535 rounds in sum.)
//
// Filters need no sort. Logits, as integers of the same order, are counted (top_k) or weighed (top_p) into 256 bins of a
// range; the bin in which the wanted number is reached is the next range, until it is a single value: 3 or 4 rounds, and
// the later ones skip every chunk whose best lies below the range. Weights are integers (their sum about 2^30), so that
// lanes add them in any order with the same result. Among equal logits the lowest token ids are kept.

@group(0) @binding(0) var<storage, read> batch: Batch;
@group(0) @binding(1) var<storage, read> adjusted: array<vec4<f32>>;
@group(0) @binding(2) var<storage, read> peaks: array<vec2<f32>>;
@group(0) @binding(3) var<storage, read> places: array<u32>;
@group(0) @binding(4) var<storage, read> sampling: array<Sampling>;
@group(0) @binding(5) var<storage, read_write> chosen: array<u32>;

override LANES: u32;        // 32 to 256, a power of two
const TEAM: u32 = 16u;      // lanes that read a chunk together, so that their loads join
const WHOLE: f32 = 1073741824.0;

// Stages of filtering.
const TOP_K: u32 = 0u;
const WEIGH: u32 = 1u;      // the weight of what top_k keeps
const TOP_P: u32 = 2u;
const DONE: u32 = 3u;

// A row's distribution: weight of a logit = exp((logit - highest) * scale) * unit.
struct Softmax {
    row: u32,
    highest: f32,
    scale: f32,
    unit: f32,
}

// What is kept: keys above `key`, and of those equal to it the tokens up to `last`.
struct Cut {
    key: u32,
    last: u32,
}

// What is searched: the `wanted`-th unit from the top within [low, high]. Places are keys, or, among the tokens of one key, ~token.
struct Range {
    low: u32,
    high: u32,
    wanted: u32,
    by_weight: bool,
    ties_of: u32,   // that key; 0: places are keys
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

@compute @workgroup_size(LANES)
fn main(@builtin(workgroup_id) group: vec3<u32>, @builtin(local_invocation_index) lane: u32) {
    let row = group.x;
    if row >= batch.count || !is_sampled(batch.rows[row]) {
        return;
    }
    let s = sampling[batch.rows[row].sequence];
    var high = 0u;
    var low = MAX;
    var best = row * CHUNKS;
    for (var i = row * CHUNKS; i < (row + 1u) * CHUNKS; i++) {
        let key = key_of(peaks[i].x);
        low = min(low, key);
        if key > high {
            high = key;
            best = i;
        }
    }
    var token = places[best];
    if token == NO_TOKEN || value_of(high) < HOPELESS {
        if lane == 0u {
            chosen[row] = NO_TOKEN;
        }
        return;
    }
    if !is_greedy(s) && has_filter(s) {
        let cut = filtered(row, s, low, high, lane);
        token = draw(row, s, cut, value_of(high), lane);
    }
    if lane == 0u {
        chosen[row] = min(token, VOCAB - 1u);
    }
}

// top_k, then top_p of what it keeps, then min_p. `low`, `high`: lowest and highest of the chunks' best.
fn filtered(row: u32, s: Sampling, low: u32, high: u32, lane: u32) -> Cut {
    let highest = value_of(high);
    var softmax = Softmax(row, highest, inverse_temperature(s), 0.0);
    let has_top_p = s.top_p < 1.0;
    var stage = DONE;
    var range = Range();
    if has_top_p {
        stage = TOP_P;
        softmax.unit = WHOLE / total_weight(softmax, s);
        range = top_p_range(softmax, s, high, WHOLE);
    }
    if s.top_k > 0u && s.top_k < VOCAB {
        stage = TOP_K;
        // Each chunk has a token at `low` or above it.
        range = Range(select(0u, low, s.top_k <= CHUNKS), high, s.top_k, false, 0u);
    }

    var cut = Cut(0u, MAX);
    while stage != DONE {
        let shift = u32(max(24 - i32(countLeadingZeros(range.high - range.low)), 0));
        clear_bins(lane);
        fill_bins(softmax, cut, range, shift, lane);
        let bin = pick_bin(range.wanted, lane);
        if stage == WEIGH {
            stage = TOP_P;
            range = top_p_range(softmax, s, high, f32(bin.held + bin.above));
            range.low = max(range.low, cut.key);
            continue;
        }
        range.wanted -= bin.above;
        range.low += bin.index << shift;
        range.high = range.low + min(range.high - range.low, (1u << shift) - 1u);
        let all_of_it = range.wanted >= bin.held;
        if shift > 0u && !all_of_it {
            continue;
        }
        if range.ties_of == 0u && !all_of_it {
            // Too much of one key: find the last of its tokens that is kept.
            let each = select(1u, max(weight(softmax, range.low), 1u), range.by_weight);
            let tokens = (range.wanted + each - 1u) / each;
            range = Range(~(VOCAB - 1u), MAX, tokens, false, range.low);
            continue;
        }
        if range.ties_of != 0u {
            cut = Cut(range.ties_of, ~range.low);
        } else {
            cut = Cut(range.low, select(MAX, cut.last, range.low == cut.key));
        }
        if stage == TOP_K && has_top_p {
            stage = WEIGH;
            range = Range(cut.key, high, MAX, true, 0u);
        } else {
            stage = DONE;
        }
    }

    if s.min_p > 0.0 {
        let least = key_of(sane(bitcast<u32>(highest + log(min(s.min_p, 1.0)) / softmax.scale)));
        if least > cut.key {
            cut = Cut(least, MAX);
        }
    }
    return cut;
}

// Weight of all tokens that top_p may have to look at, or a bound of it, in units of the best token's.
fn total_weight(softmax: Softmax, s: Sampling) -> f32 {
    var total = 0.0;
    for (var i = softmax.row * CHUNKS; i < (softmax.row + 1u) * CHUNKS; i++) {
        total += peaks[i].y * exp((peaks[i].x - softmax.highest) * softmax.scale);
    }
    return select(total, min(total, f32(s.top_k)), s.top_k > 0u);
}

// Where top_p cuts a distribution that weighs `whole`.
fn top_p_range(softmax: Softmax, s: Sampling, high: u32, whole: f32) -> Range {
    let share = max(s.top_p, 0.0);
    let wanted = max(u32(ceil(share * whole)), 1u);
    // Tokens that weigh less than (1 - top_p) / VOCAB of the best weigh less than 1 - top_p together.
    let least = softmax.highest + (log((1.0 - share) / f32(VOCAB)) - 1.0) / softmax.scale;
    return Range(key_of(sane(bitcast<u32>(least))), high, wanted, true, 0u);
}

fn is_kept(cut: Cut, key: u32, token: u32) -> bool {
    return token < VOCAB && (key > cut.key || (key == cut.key && token <= cut.last));
}

fn weight(softmax: Softmax, key: u32) -> u32 {
    return u32(exp((value_of(key) - softmax.highest) * softmax.scale) * softmax.unit + 0.5);
}

fn clear_bins(lane: u32) {
    for (var i = lane; i < 256u; i += LANES) {
        atomicStore(&bins[i], 0u);
    }
    workgroupBarrier();
}

// Adds what lies in the range, and is kept, to bins of 2^shift places.
fn fill_bins(softmax: Softmax, cut: Cut, range: Range, shift: u32, lane: u32) {
    let by_token = range.ties_of != 0u;
    let least = select(range.low, range.ties_of, by_token);
    for (var chunk = lane / TEAM; chunk < CHUNKS; chunk += LANES / TEAM) {
        if key_of(peaks[softmax.row * CHUNKS + chunk].x) < least {
            continue;
        }
        for (var quad = chunk * (CHUNK / 4u) + lane % TEAM; quad < (chunk + 1u) * (CHUNK / 4u); quad += TEAM) {
            let values = adjusted[softmax.row * (CHUNKS * CHUNK / 4u) + quad];
            for (var i = 0u; i < 4u; i++) {
                let token = 4u * quad + i;
                let key = key_of(values[i]);
                let place = select(key, ~token, by_token);
                let sought = !by_token || key == range.ties_of;
                if sought && is_kept(cut, key, token) && place >= range.low && place <= range.high {
                    var amount = 1u;
                    if range.by_weight {
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

// The best score among the tokens of the cut.
fn draw(row: u32, s: Sampling, cut: Cut, highest: f32, lane: u32) -> u32 {
    let scale = inverse_temperature(s);
    let position = batch.rows[row].position + 1u;
    var best = 0u;
    var place = 0u;
    for (var chunk = lane / TEAM; chunk < CHUNKS; chunk += LANES / TEAM) {
        if key_of(peaks[row * CHUNKS + chunk].x) < cut.key {
            continue;
        }
        for (var quad = chunk * (CHUNK / 4u) + lane % TEAM; quad < (chunk + 1u) * (CHUNK / 4u); quad += TEAM) {
            let values = adjusted[row * (CHUNKS * CHUNK / 4u) + quad];
            var words = vec4<u32>();
            var has_words = false;
            for (var i = 0u; i < 4u; i++) {
                if !is_kept(cut, key_of(values[i]), 4u * quad + i) {
                    continue;
                }
                if !has_words {
                    words = philox(quad, position, s.seed_lo, s.seed_hi);
                    has_words = true;
                }
                let key = key_of(score((values[i] - highest) * scale, words[i]));
                if key > best {
                    best = key;
                    place = 4u * quad + i;
                }
            }
        }
    }
    return best_over_lanes(best, place, lane).y;
}
