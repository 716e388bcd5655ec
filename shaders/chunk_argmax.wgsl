// First step of sampling: applies bias, penalties and mask to every logit and finds the best token of each chunk.
//
// logits: [rows, COLUMNS] f32, read as bits; what is beyond VOCAB belongs to no token. history: [sequences, VOCAB], see `kernels/sampling.rs`; mask: [sequences, MASK_WORDS],
// bit t % 32 of word t / 32 set = token t is allowed, read where the row's flags say so.
// peaks: [rows, CHUNKS, 2] f32 = (best of the chunk, its softmax mass relative to that best); places: [rows, CHUNKS] = the
// best one's token. "Best" is the highest adjusted logit; where a row draws without filters, the highest score, so that the
// next step has nothing left but to compare chunks. adjusted: [rows, CHUNKS * CHUNK] f32, written where filters will
// search it; before, where the row has a DRY penalty, it holds what dry.wgsl found. A chunk with a NaN or +infinity among its logits has FAULT_BITS for its best, and NO_TOKEN.
// Dispatch: chunks along x, rows along y. At most 256 chunks: enough to fill a GPU, and few enough for one lane to compare.

override MASK_WORDS: u32;
override COLUMNS: u32;

const NEVER: u32 = 0x4000u;  // the bias that forbids a token
const DRY_MOST: f32 = 1e6;   // beyond any logit, and far from forbidding

@compute @workgroup_size(GROUP)
fn main(@builtin(workgroup_id) group: vec3<u32>, @builtin(local_invocation_index) local: u32) {
    let row = group.y;
    let chunk = chunk_of(group.x, local);
    if row >= batch.count || chunk >= CHUNKS || !is_sampled(batch.rows[row]) {
        return;
    }
    let lane = lane_of(local);
    let sequence = batch.rows[row].sequence;
    let position = batch.rows[row].position + 1u;
    let s = params[sequence];
    let ends_early = position < s.min_limit && (s.flags & MASKED) == 0u;
    let remembers = s.repetition != 1.0 || s.frequency != 0.0 || s.presence != 0.0 || (s.flags & BIASED) != 0u || ends_early;
    let verifies = (batch.rows[row].flags & VERIFY) != 0u;
    let masked = (s.flags & MASKED) != 0u;
    let draws = !is_greedy(s);
    let filters = draws && has_filter(s);
    let scale = inverse_temperature(s);
    let first = chunk * CHUNK;
    let end = min(first + CHUNK, VOCAB);

    var best = 0u;
    var place = first;
    var words = vec4<u32>();
    var block = MAX;
    var faulty = false;
    for (var token = first + lane; token < end; token += LANES) {
        let bits = logits[row * COLUMNS + token];
        faulty = faulty || is_fault(bits);
        var value = sane(bits);
        if remembers {
            var past = history[sequence * VOCAB + token];
            if verifies {
                past = with_drafted(past, row, token);
            }
            value = adjust(value, past, s);
            if ends_early && (past & STOPS) != 0u {
                value = bitcast<f32>(HIGHEST_BITS | 0x80000000u);
            }
        }
        if s.dry_multiplier > 0.0 {
            value = sane(bitcast<u32>(value - dry_penalty(u32(adjusted[row * CHUNKS * CHUNK + token]), s)));
        }
        if masked && ((mask[sequence * MASK_WORDS + token / 32u] >> (token % 32u)) & 1u) == 0u {
            value = bitcast<f32>(HIGHEST_BITS | 0x80000000u);
        }
        if filters {
            adjusted[row * CHUNKS * CHUNK + token] = value;
        } else if draws {
            if block != token / 4u {
                block = token / 4u;
                words = philox(block, position, TOKENS, s.seed_lo, s.seed_hi);
            }
            value = score(value * scale, words[token % 4u]);
        }
        let key = key_of(value);
        if key > best {
            best = key;
            place = token;
        }
    }
    if faulty {
        best = key_of(bitcast<f32>(FAULT_BITS));
        place = NO_TOKEN;
    }
    let found = best_over_lanes(best, place, lane);
    let highest = value_of(found.x);
    var mass = 0.0;
    if filters && s.top_p < 1.0 {
        for (var token = first + lane; token < end; token += LANES) {
            mass += exp((adjusted[row * CHUNKS * CHUNK + token] - highest) * scale);
        }
        mass = sum_over_lanes(mass, lane);
    }
    if lane == 0u {
        peaks[row * CHUNKS + chunk] = vec2<f32>(highest, mass);
        places[row * CHUNKS + chunk] = found.y;
    }
}

// Whether these are the bits of a NaN or of +infinity. (A model may forbid a token by -infinity.)
fn is_fault(bits: u32) -> bool {
    return (bits & 0x7fffffffu) > 0x7f800000u || bits == 0x7f800000u;
}

// A token's history with the tokens counted that a draft has up to this row: those of its sequence's rows but the first.
fn with_drafted(past: u32, row: u32, token: u32) -> u32 {
    var times = past & TIMES;
    var is_first = true;
    for (var r = 0u; r <= row; r++) {
        let other = batch.rows[r];
        if (other.flags & VERIFY) == 0u || other.sequence != batch.rows[row].sequence {
            continue;
        }
        times += select(0u, 1u, !is_first && other.token == token);
        is_first = false;
    }
    return (past & ~TIMES) | min(times, TIMES);
}

// What DRY subtracts for a token that would make a repetition of so many tokens longer.
fn dry_penalty(length: u32, s: Sampling) -> f32 {
    if length < max(s.dry_allowed, 1u) {
        return 0.0;
    }
    var penalty = s.dry_multiplier;
    for (var i = max(s.dry_allowed, 1u); i < length && penalty < DRY_MOST; i++) {
        penalty *= s.dry_base;
    }
    return min(penalty, DRY_MOST);
}

// `past`: bits 0-14 times generated, 15 whether the token stops, 16-30 bias in steps of 1/128 (two's complement), 31 whether the prompt had the token.
fn adjust(logit: f32, past: u32, s: Sampling) -> f32 {
    var value = logit;
    if (s.flags & BIASED) != 0u {
        let bias = (past >> 16u) & 0x7fffu;
        if bias == NEVER {
            return bitcast<f32>(HIGHEST_BITS | 0x80000000u);
        }
        value += f32(bitcast<i32>(bias << 17u) >> 17u) / 128.0;
    }
    let times = past & TIMES;
    if times > 0u || (past >> 31u) == 1u {
        value = select(value * s.repetition, value / s.repetition, value > 0.0);
    }
    if times > 0u {
        value -= f32(times) * s.frequency + s.presence;
    }
    return sane(bitcast<u32>(value));
}
