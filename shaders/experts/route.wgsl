// Which experts a row goes to: the USED best by score, best first, the lower number among equals; and their weights.
//
// logits: [rows, EXPERTS] f32; bias: [EXPERTS] f32, where there is one. choices: [rows, 2 USED], experts as u32, then weights as f32.
// What a score is, and a weight, follows `Routing` in kernels/experts/route.rs. With GROUPS, only experts of the GROUPS_USED best
// groups count; a group's score is the sum of its two best. Logits that are no numbers make all weights of the row none.
// Dispatch: a workgroup of LANES invocations a row. Lanes take experts in turn, and each round finds the best of those that come behind the
// last one found, so that nothing is marked. There are a few hundred experts, and at most some ten rounds.

override EXPERTS: u32;
override USED: u32;
override GATING: u32;
override NORMALISES: bool;
override WEIGHT_SCALE: f32;
override GROUPS: u32;
override GROUPS_USED: u32;

const SOFTMAX = 0u;
const SIGMOID = 1u;
const SOFTMAX_OF_CHOSEN = 2u;
// Sums of weights are taken for no smaller: 2^-14.
const LEAST_SUM: f32 = 6.103515625e-5;

// Orders floats as unsigned numbers; what is no number comes last.
fn key_of(value: f32) -> u32 {
    let bits = bitcast<u32>(value);
    if (bits & 0x7fffffffu) > 0x7f800000u {
        return 0u;
    }
    return select(bits | 0x80000000u, ~bits, (bits >> 31u) == 1u);
}

// What logits are taken relative to, and their mass relative to that: for softmax over all experts.
struct Peak {
    highest: f32,
    mass: f32,
}

fn probability(logit: f32, peak: Peak) -> f32 {
    if GATING == SIGMOID {
        return 1.0 / (1.0 + exp(min(-logit, 80.0)));
    }
    if GATING == SOFTMAX {
        return exp(logit - peak.highest) / peak.mass;
    }
    return logit;
}

fn score(expert: u32, first: u32, peak: Peak) -> f32 {
    return probability(logits[first + expert], peak) + bias_of(expert);
}

// The best expert of lane's share that comes behind the last one, among the groups of a bit mask.
fn best_behind(last: vec2<u32>, begin: u32, end: u32, groups: u32, first: u32, peak: Peak, lane: u32) -> vec2<u32> {
    var best = 0u;
    var place = begin;
    for (var expert = begin + lane; expert < end; expert += LANES) {
        if ((groups >> (expert / (EXPERTS / GROUPS))) & 1u) == 0u {
            continue;
        }
        let key = max(key_of(score(expert, first, peak)), 1u);
        let is_behind = key < last.x || (key == last.x && expert > last.y);
        if is_behind && key > best {
            best = key;
            place = expert;
        }
    }
    return best_over_lanes(best, place, lane);
}

fn value_of(key: u32) -> f32 {
    return bitcast<f32>(select(~key, key & 0x7fffffffu, (key >> 31u) == 1u));
}

@compute @workgroup_size(LANES)
fn main(@builtin(workgroup_id) group: vec3<u32>, @builtin(local_invocation_index) lane: u32) {
    let row = group.x;
    if row >= batch.count {
        return;
    }
    let first = row * EXPERTS;
    var faults = 0.0;
    var highest = 0u;
    for (var expert = lane; expert < EXPERTS; expert += LANES) {
        let logit = logits[first + expert];
        faults += select(0.0, 1.0, (bitcast<u32>(logit) & 0x7fffffffu) >= 0x7f800000u);
        highest = max(highest, key_of(logit));
    }
    let is_faulty = sum_over_lanes(faults, lane) > 0.0;
    var peak = Peak(value_of(best_over_lanes(highest, 0u, lane).x), 1.0);
    if GATING == SOFTMAX {
        var mass = 0.0;
        for (var expert = lane; expert < EXPERTS; expert += LANES) {
            mass += exp(logits[first + expert] - peak.highest);
        }
        peak.mass = sum_over_lanes(mass, lane);
    }

    let everything = vec2<u32>(0xffffffffu, 0u);
    var groups = 0xffffffffu;
    if GROUPS > 1u {
        groups = 0u;
        for (var n = 0u; n < GROUPS_USED; n++) {
            var best_score = 0u;
            var best_group = 0u;
            for (var g = 0u; g < GROUPS; g++) {
                let begin = g * (EXPERTS / GROUPS);
                let a = best_behind(everything, begin, begin + EXPERTS / GROUPS, 0xffffffffu, first, peak, lane);
                let b = best_behind(a, begin, begin + EXPERTS / GROUPS, 0xffffffffu, first, peak, lane);
                let key = max(key_of(value_of(a.x) + value_of(b.x)), 1u);
                if ((groups >> g) & 1u) == 0u && key > best_score {
                    best_score = key;
                    best_group = g;
                }
            }
            groups |= 1u << best_group;
        }
    }

    let at = row * 2u * USED;
    var last = everything;
    var sum = 0.0;
    for (var n = 0u; n < USED; n++) {
        last = best_behind(last, 0u, EXPERTS, groups, first, peak, lane);
        let logit = logits[first + last.y];
        var weight = probability(logit, peak);
        if GATING == SOFTMAX_OF_CHOSEN {
            weight = exp(logit - peak.highest);
        }
        sum += weight;
        if lane == 0u {
            choices[at + n] = last.y;
            choices[at + USED + n] = bitcast<u32>(weight);
        }
    }
    if lane == 0u {
        let divides = NORMALISES || GATING == SOFTMAX_OF_CHOSEN;
        let factor = select(1.0, 1.0 / max(sum, select(LEAST_SUM, 0x1p-126, GATING == SOFTMAX_OF_CHOSEN)), divides) * WEIGHT_SCALE;
        for (var n = 0u; n < USED; n++) {
            let weight = bitcast<u32>(bitcast<f32>(choices[at + USED + n]) * factor * factor_of(choices[at + n]));
            choices[at + USED + n] = select(weight, 0x7fc00000u, is_faulty);
        }
    }
}
