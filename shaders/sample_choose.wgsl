// Second step of sampling: chooses each row's token among its chunks' best, or draws it from what the filters keep.
//
// adjusted: [rows, VOCAB] f32; peaks: [rows, CHUNKS, 2] f32; places: [rows, CHUNKS]: see sample_scan.wgsl.
// chosen: [rows] token ids, always below VOCAB.
// Dispatch: one workgroup a row.
//
// Filters need no sort. Logits, as integers of the same order, are counted (top_k) or weighed (top_p) into 256 bins of a
// range; the bin in which the wanted number is reached is the next range, until it is a single value: 3 or 4 rounds, and
// the later ones skip every chunk whose best lies below the range. Weights are integers (their sum about 2^30), so that
// lanes add them in any order with the same result. Among equal logits the lowest token ids are kept.

@group(0) @binding(0) var<storage, read> batch: Batch;
@group(0) @binding(1) var<storage, read> adjusted: array<f32>;
@group(0) @binding(2) var<storage, read> peaks: array<vec2<f32>>;
@group(0) @binding(3) var<storage, read> places: array<u32>;
@group(0) @binding(4) var<storage, read> sampling: array<Sampling>;
@group(0) @binding(5) var<storage, read_write> chosen: array<u32>;

const WHOLE: f32 = 1073741824.0;

// A bin, the amount in the bins above it, and its own.
struct Bin {
    index: u32,
    above: u32,
    held: u32,
}

// What is kept: keys above `key`, and of those equal to it the tokens up to `last`.
struct Cut {
    key: u32,
    last: u32,
}

// A row's distribution: weight of a logit = exp((logit - highest) * scale) * unit.
struct Softmax {
    row: u32,
    highest: f32,
    scale: f32,
    unit: f32,
}

// What is searched: the `wanted`-th unit from the top within [low, high], by key or, among the ties of a key, by token.
struct Range {
    low: u32,
    high: u32,
    wanted: u32,
    by_weight: bool,
    ties_of: u32,   // 0: all keys
}

struct Found {
    low: u32,       // everything from here up is wanted,
    missing: u32,   // but of what is at `low` only this much
    held: u32,      // of this
}

@compute @workgroup_size(LANES)
fn main(@builtin(workgroup_id) group: vec3<u32>, @builtin(local_invocation_index) lane: u32) {
    let row = group.x;
    if row >= batch.count || (batch.rows[row].flags & FINISHED) != 0u {
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
    let scale = inverse_temperature(s);
    var softmax = Softmax(row, highest, scale, 0.0);
    var cut = Cut(0u, MAX);
    let counts = s.top_k > 0u && s.top_k < VOCAB;
    if counts {
        // With one token of each chunk at `low` or above, the first CHUNKS are there.
        let from_key = select(0u, low, s.top_k <= CHUNKS);
        cut = search(softmax, cut, Range(from_key, high, s.top_k, false, 0u), lane);
    }
    if s.top_p < 1.0 {
        var total = 0.0;
        for (var i = row * CHUNKS; i < (row + 1u) * CHUNKS; i++) {
            total += peaks[i].y * exp((peaks[i].x - highest) * scale);
        }
        if counts {
            total = min(total, f32(s.top_k));
        }
        softmax.unit = WHOLE / total;
        var whole = WHOLE;
        if counts {
            // One bin for everything that top_k keeps.
            clear_bins(lane);
            fill_bins(softmax, cut, Range(cut.key, high, 0u, true, 0u), 32u, lane);
            whole = f32(pick_bin(MAX, lane).held);
        }
        let wanted = max(u32(ceil(max(s.top_p, 0.0) * whole)), 1u);
        // Tokens that weigh less than (1 - top_p) / VOCAB of the best weigh less than 1 - top_p together.
        let least = sane(bitcast<u32>(highest + (log((1.0 - max(s.top_p, 0.0)) / f32(VOCAB)) - 1.0) / scale));
        cut = search(softmax, cut, Range(max(key_of(least), cut.key), high, wanted, true, 0u), lane);
    }
    if s.min_p > 0.0 {
        let least = key_of(sane(bitcast<u32>(highest + log(min(s.min_p, 1.0)) / scale)));
        if least > cut.key {
            cut = Cut(least, MAX);
        }
    }
    return cut;
}

fn is_kept(cut: Cut, key: u32, token: u32) -> bool {
    return key > cut.key || (key == cut.key && token <= cut.last);
}

fn weight(softmax: Softmax, key: u32) -> u32 {
    return u32(exp((value_of(key) - softmax.highest) * softmax.scale) * softmax.unit + 0.5);
}

// The part of `cut` that holds the first `range.wanted` tokens, or units of weight.
fn search(softmax: Softmax, cut: Cut, range: Range, lane: u32) -> Cut {
    let found = narrow(softmax, cut, range, lane);
    if found.missing >= found.held {
        return Cut(found.low, select(MAX, cut.last, found.low == cut.key));
    }
    var each = 1u;
    if range.by_weight {
        each = max(weight(softmax, found.low), 1u);
    }
    let ties = (found.missing + each - 1u) / each;
    let tie = narrow(softmax, cut, Range(~(VOCAB - 1u), MAX, ties, false, found.low), lane);
    return Cut(found.low, ~tie.low);
}

fn narrow(softmax: Softmax, cut: Cut, range: Range, lane: u32) -> Found {
    var now = range;
    var held = 0u;
    loop {
        let shift = u32(max(24 - i32(countLeadingZeros(now.high - now.low)), 0));
        clear_bins(lane);
        fill_bins(softmax, cut, now, shift, lane);
        let bin = pick_bin(now.wanted, lane);
        now.wanted -= bin.above;
        now.low += bin.index << shift;
        now.high = now.low + min(now.high - now.low, (1u << shift) - 1u);
        held = bin.held;
        if shift == 0u || now.wanted >= held {
            break;
        }
    }
    return Found(now.low, now.wanted, held);
}

// Adds what lies in the range, and is kept, to bins of 2^shift; a shift of 32 means one bin.
fn fill_bins(softmax: Softmax, cut: Cut, range: Range, shift: u32, lane: u32) {
    let by_token = range.ties_of != 0u;
    let least = select(range.low, range.ties_of, by_token);
    for (var chunk = lane / TEAM; chunk < CHUNKS; chunk += LANES / TEAM) {
        if key_of(peaks[softmax.row * CHUNKS + chunk].x) < least {
            continue;
        }
        let end = min((chunk + 1u) * CHUNK, VOCAB);
        for (var token = chunk * CHUNK + lane % TEAM; token < end; token += TEAM) {
            let key = key_of(adjusted[softmax.row * VOCAB + token]);
            if !is_kept(cut, key, token) || (by_token && key != range.ties_of) {
                continue;
            }
            let place = select(key, ~token, by_token);
            if place < range.low || place > range.high {
                continue;
            }
            let bin = select((place - range.low) >> (shift & 31u), 0u, shift >= 32u);
            if range.by_weight {
                add_to_bin(bin, weight(softmax, key));
            } else {
                add_to_bin(bin, 1u);
            }
        }
    }
}

fn draw(row: u32, s: Sampling, cut: Cut, highest: f32, lane: u32) -> u32 {
    let scale = inverse_temperature(s);
    let position = batch.rows[row].position + 1u;
    var best = 0u;
    var place = 0u;
    for (var chunk = lane / TEAM; chunk < CHUNKS; chunk += LANES / TEAM) {
        if key_of(peaks[row * CHUNKS + chunk].x) < cut.key {
            continue;
        }
        let end = min((chunk + 1u) * CHUNK, VOCAB);
        for (var token = chunk * CHUNK + lane % TEAM; token < end; token += TEAM) {
            let value = adjusted[row * VOCAB + token];
            if is_kept(cut, key_of(value), token) {
                let words = philox(token / 4u, position, s.seed_lo, s.seed_hi);
                let key = key_of(score((value - highest) * scale, words[token % 4u]));
                if key > best {
                    best = key;
                    place = token;
                }
            }
        }
    }
    return best_over_lanes(best, place, lane).y;
}
