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
// lanes add them in any order with the same result. Among equal logits the lowest token ids are kept. (search.wgsl; what takes sums
// over the vocabulary instead is in spread.wgsl.)

override LANES: u32;        // 32 to 256, a power of two
const TEAM: u32 = 16u;      // lanes that read a chunk together, so that their loads join
const WHOLE: f32 = 1073741824.0;
const EVERYWHERE: f32 = 3e38;

// Stages of filtering.
const TOP_K: u32 = 0u;
const WEIGH: u32 = 1u;      // the weight of what is kept so far
const TOP_P: u32 = 2u;
const MIN_P: u32 = 3u;
const TYPICAL: u32 = 4u;
const DONE: u32 = 5u;

// A row's distribution: weight of a logit = exp((logit - highest) * scale) * unit.
struct Softmax {
    row: u32,
    highest: f32,
    scale: f32,
    unit: f32,
}

// What is kept: keys above `key`, and of those equal to it the tokens up to `last`; of these, those whose scaled logit is at most
// `reach` from `mean`; of these, keys below `top`, and of those equal to it the tokens from `first` on.
struct Cut {
    key: u32,
    last: u32,
    mean: f32,
    reach: f32,
    top: u32,
    first: u32,
}

fn quad_of(row: u32, quad: u32) -> u32 {
    return row * (CHUNKS * CHUNK / 4u) + quad;
}

@compute @workgroup_size(LANES)
fn main(@builtin(workgroup_id) group: vec3<u32>, @builtin(local_invocation_index) lane: u32) {
    let row = group.x;
    if row >= batch.count || !is_sampled(batch.rows[row]) {
        return;
    }
    let s = params[batch.rows[row].sequence];
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
        token = draw(Softmax(row, value_of(high), inverse_temperature(s), 0.0), s, cut, lane);
    }
    if lane == 0u {
        chosen[row] = min(token, VOCAB - 1u);
    }
}

// top_n_sigma, top_k of what it keeps, then top_p, min_p, typical_p, XTC. `low`, `high`: lowest and highest of the chunks' best.
fn filtered(row: u32, s: Sampling, low: u32, high: u32, lane: u32) -> Cut {
    let highest = value_of(high);
    var softmax = Softmax(row, highest, inverse_temperature(s), 0.0);
    var cut = Cut(0u, MAX, 0.0, EVERYWHERE, MAX, 0u);
    var stage = MIN_P;
    var range = Range();
    if s.top_n_sigma > 0.0 {
        let least = highest - s.top_n_sigma * deviation(row, highest, lane);
        cut.key = min(key_of(sane(bitcast<u32>(least))), high);
        stage = WEIGH;
        range = Range(cut.key, high, MAX, BY_WEIGHT, 0u);
    }
    if s.top_p < 1.0 {
        softmax.unit = WHOLE / total_weight(softmax, s);
        if stage == MIN_P {
            stage = TOP_P;
            range = top_p_range(softmax, s, high, WHOLE);
        }
    } else {
        stage = MIN_P;
    }
    if s.top_k > 0u && s.top_k < VOCAB {
        stage = TOP_K;
        // Each chunk has a token at `low` or above it.
        range = Range(select(0u, low, s.top_k <= CHUNKS), high, s.top_k, BY_COUNT, 0u);
    }

    while stage != DONE {
        if stage == MIN_P {
            cut = with_min_p(softmax, s, cut);
            if !(s.typical_p < 1.0) {
                break;
            }
            stage = TYPICAL;
            let spread = spread_of(softmax, cut, lane);
            softmax.unit = WHOLE / spread.x;
            cut.mean = spread.y;
            range = typical_range(s);
        }
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
        if stage == TYPICAL {
            // Those as far away as the last one that is wanted are kept, too; the last bits depend on how a sum is written.
            cut.reach = bitcast<f32>(~range.low) * 1.000001;
            stage = DONE;
            continue;
        }
        if range.ties_of == 0u && !all_of_it {
            // Too much of one key: find the last of its tokens that is kept.
            let each = select(1u, max(weight(softmax, range.low), 1u), range.by == BY_WEIGHT);
            let tokens = (range.wanted + each - 1u) / each;
            range = Range(~(VOCAB - 1u), MAX, tokens, BY_COUNT, range.low);
            continue;
        }
        if range.ties_of != 0u {
            cut.key = range.ties_of;
            cut.last = ~range.low;
        } else if range.low > cut.key {
            cut.key = range.low;
            cut.last = MAX;
        }
        if stage == TOP_K && s.top_p < 1.0 {
            stage = WEIGH;
            range = Range(cut.key, high, MAX, BY_WEIGHT, 0u);
            continue;
        }
        stage = MIN_P;
    }
    if s.xtc_probability > 0.0 && dice(row, s) < s.xtc_probability {
        let total = spread_of(softmax, cut, lane).x;
        cut = without_top_choices(softmax, cut, log(s.xtc_threshold * total), lane);
    }
    return cut;
}

fn with_min_p(softmax: Softmax, s: Sampling, kept: Cut) -> Cut {
    var cut = kept;
    if s.min_p > 0.0 {
        let least = key_of(sane(bitcast<u32>(softmax.highest + log(min(s.min_p, 1.0)) / softmax.scale)));
        if least > cut.key {
            cut.key = least;
            cut.last = MAX;
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
    return Range(key_of(sane(bitcast<u32>(least))), high, wanted, BY_WEIGHT, 0u);
}

// Where typical_p cuts: any distance.
fn typical_range(s: Sampling) -> Range {
    return Range(~FAULT_BITS, MAX, max(u32(ceil(max(s.typical_p, 0.0) * WHOLE)), 1u), BY_DISTANCE, 0u);
}

fn is_kept(softmax: Softmax, cut: Cut, key: u32, token: u32) -> bool {
    let low = token < VOCAB && (key > cut.key || (key == cut.key && token <= cut.last));
    let high = key < cut.top || (key == cut.top && token >= cut.first);
    return low && high && (cut.reach >= EVERYWHERE || distance_of(softmax, cut, key) <= cut.reach);
}

fn scaled(softmax: Softmax, key: u32) -> f32 {
    return (value_of(key) - softmax.highest) * softmax.scale;
}

// How far a token's information is from the mean information: both are the logarithm of the sum of weights less a scaled logit.
fn distance_of(softmax: Softmax, cut: Cut, key: u32) -> f32 {
    return abs(scaled(softmax, key) - cut.mean);
}

fn weight(softmax: Softmax, key: u32) -> u32 {
    return u32(exp(scaled(softmax, key)) * softmax.unit + 0.5);
}

// The best score among the tokens of the cut.
fn draw(softmax: Softmax, s: Sampling, cut: Cut, lane: u32) -> u32 {
    let row = softmax.row;
    let position = batch.rows[row].position + 1u;
    var best = 0u;
    var place = 0u;
    for (var chunk = lane / TEAM; chunk < CHUNKS; chunk += LANES / TEAM) {
        if key_of(peaks[row * CHUNKS + chunk].x) < cut.key {
            continue;
        }
        for (var quad = chunk * (CHUNK / 4u) + lane % TEAM; quad < (chunk + 1u) * (CHUNK / 4u); quad += TEAM) {
            let values = adjusted[quad_of(row, quad)];
            var words = vec4<u32>();
            var has_words = false;
            for (var i = 0u; i < 4u; i++) {
                if !is_kept(softmax, cut, key_of(values[i]), 4u * quad + i) {
                    continue;
                }
                if !has_words {
                    words = philox(quad, position, TOKENS, s.seed_lo, s.seed_hi);
                    has_words = true;
                }
                let key = key_of(score((values[i] - softmax.highest) * softmax.scale, words[i]));
                if key > best {
                    best = key;
                    place = 4u * quad + i;
                }
            }
        }
    }
    return best_over_lanes(best, place, lane).y;
}
