// What filter_draw.wgsl needs sums over the vocabulary for: top_n_sigma, typical_p, XTC. Rows that ask for none of them never come
// here. All invocations must call these functions, in uniform control flow.

var<workgroup> pairs: array<vec2<f32>, 256>;

fn sum_of_pairs(pair: vec2<f32>, lane: u32) -> vec2<f32> {
    pairs[lane] = pair;
    workgroupBarrier();
    for (var half = LANES / 2u; half > 0u; half /= 2u) {
        if lane < half {
            pairs[lane] += pairs[lane + half];
        }
        workgroupBarrier();
    }
    return workgroupUniformLoad(&pairs[0]);
}

// The standard deviation of the logits of all tokens that may be chosen.
fn deviation(row: u32, highest: f32, lane: u32) -> f32 {
    var mean = 0.0;
    var variance = 0.0;
    for (var round = 0u; round < 2u; round++) {
        var pair = vec2<f32>();
        for (var quad = lane; quad < CHUNKS * CHUNK / 4u; quad += LANES) {
            let values = adjusted[quad_of(row, quad)];
            for (var i = 0u; i < 4u; i++) {
                if 4u * quad + i < VOCAB && values[i] > HOPELESS {
                    let off = values[i] - highest - mean;
                    pair += vec2<f32>(1.0, select(off, off * off, round == 1u));
                }
            }
        }
        let sum = sum_of_pairs(pair, lane);
        mean = sum.y / max(sum.x, 1.0);
        variance = mean;
    }
    return sqrt(variance);
}

// The sum of the weights of what is kept, the best one's being 1, and its mean scaled logit.
fn spread_of(softmax: Softmax, cut: Cut, lane: u32) -> vec2<f32> {
    var pair = vec2<f32>();
    for (var quad = lane; quad < CHUNKS * CHUNK / 4u; quad += LANES) {
        let values = adjusted[quad_of(softmax.row, quad)];
        for (var i = 0u; i < 4u; i++) {
            let key = key_of(values[i]);
            if values[i] > HOPELESS && is_kept(softmax, cut, key, 4u * quad + i) {
                let x = scaled(softmax, key);
                pair += exp(x) * vec2<f32>(1.0, x);
            }
        }
    }
    let sum = sum_of_pairs(pair, lane);
    return vec2<f32>(sum.x, sum.y / sum.x);
}

// A number in [0, 1) for XTC.
fn dice(row: u32, s: Sampling) -> f32 {
    let words = philox(0u, batch.rows[row].position + 1u, DICE, s.seed_lo, s.seed_hi);
    return f32(words.x >> 8u) * 5.9604644775390625e-8;
}

// XTC: of the tokens that are kept and have at least this logarithm of a weight, the last in order alone.
fn without_top_choices(softmax: Softmax, kept: Cut, least: f32, lane: u32) -> Cut {
    let bound = key_of(sane(bitcast<u32>(softmax.highest + least / softmax.scale)));
    var best = 0u;
    var place = 0u;
    for (var quad = lane; quad < CHUNKS * CHUNK / 4u; quad += LANES) {
        let values = adjusted[quad_of(softmax.row, quad)];
        for (var i = 0u; i < 4u; i++) {
            let key = key_of(values[i]);
            let token = 4u * quad + i;
            let is_top = values[i] > HOPELESS && key >= bound && is_kept(softmax, kept, key, token);
            if is_top && (~key > best || (~key == best && ~token < place)) {
                best = ~key;
                place = ~token;
            }
        }
    }
    let found = best_over_lanes(best, place, lane);
    var cut = kept;
    if found.x != 0u {
        cut.top = ~found.x;
        cut.first = ~found.y;
    }
    return cut;
}
