// The log-probability of each row's chosen token, and the likeliest tokens with theirs, for rows that ask: by the softmax of the
// logits as the model gives them, before bias, penalties, temperature and filters.
//
// logits: [rows, COLUMNS] f32, read as bits; chosen: [rows] tokens; logprobs: [sequences, RING, 1 + TOP, 2] = pairs of a token and
// its log-probability as bits, the chosen token first; NO_TOKEN where there is none.
// Dispatch: one workgroup of LANES a row; others leave at once. The best of each chunk of the vocabulary is kept, so that the next
// in order is found by looking at one chunk again instead of all.

override LANES: u32;        // 32 to 256, a power of two
override COLUMNS: u32;
override RING: u32;
override TOP: u32;

// The best token of each chunk that is not told yet: its key, or 0, and itself.
var<workgroup> bests: array<vec2<u32>, 256>;
var<workgroup> masses: array<f32, 256>;

@compute @workgroup_size(LANES)
fn main(@builtin(workgroup_id) group: vec3<u32>, @builtin(local_invocation_index) lane: u32) {
    let row = group.x;
    if row >= batch.count || !is_sampled(batch.rows[row]) {
        return;
    }
    let sequence = batch.rows[row].sequence;
    if (params[sequence].flags & LOGPROBS) == 0u {
        return;
    }
    let place = sequence * RING + (batch.step + place_in_draft(row)) % RING;
    let own = chosen[row];
    if own == NO_TOKEN {
        for (var i = lane; i <= TOP; i += LANES) {
            write(place, i, NO_TOKEN, 0.0);
        }
        return;
    }
    for (var chunk = lane; chunk < CHUNKS; chunk += LANES) {
        bests[chunk] = best_after(row, chunk, MAX, 0u, 0u, 1u);
    }
    workgroupBarrier();
    let highest = value_of(best_of_chunks(lane).x);
    var mass = 0.0;
    for (var token = lane; token < VOCAB; token += LANES) {
        mass += exp(sane(logits[row * COLUMNS + token]) - highest);
    }
    let total = highest + log(sum_over_lanes(mass, lane));
    if lane == 0u {
        write(place, 0u, own, sane(logits[row * COLUMNS + own]) - total);
    }
    for (var i = 1u; i <= TOP; i++) {
        let best = best_of_chunks(lane);
        if lane == 0u {
            if best.x == 0u {
                write(place, i, NO_TOKEN, 0.0);
            } else {
                write(place, i, best.y, value_of(best.x) - total);
            }
        }
        if best.x == 0u {
            continue;
        }
        let chunk = best.y / CHUNK;
        let mine = best_after(row, chunk, best.x, best.y, lane, LANES);
        let next = best_over_lanes(mine.x, mine.y, lane);
        if lane == 0u {
            bests[chunk] = next;
        }
        workgroupBarrier();
    }
}

fn write(place: u32, index: u32, token: u32, logprob: f32) {
    let at = 2u * (place * (1u + TOP) + index);
    logprobs[at] = token;
    logprobs[at + 1u] = bitcast<u32>(logprob);
}

// The best of every `step`-th token of a chunk, from the `start`-th on, that comes after a token in order.
fn best_after(row: u32, chunk: u32, key: u32, token: u32, start: u32, step: u32) -> vec2<u32> {
    var best = vec2<u32>(0u, 0u);
    let end = min((chunk + 1u) * CHUNK, VOCAB);
    for (var other = chunk * CHUNK + start; other < end; other += step) {
        let value = sane(logits[row * COLUMNS + other]);
        let found = key_of(value);
        let is_after = found < key || (found == key && other > token);
        if value > HOPELESS && is_after && found > best.x {
            best = vec2<u32>(found, other);
        }
    }
    return best;
}

fn best_of_chunks(lane: u32) -> vec2<u32> {
    var best = vec2<u32>(0u, 0u);
    for (var chunk = lane; chunk < CHUNKS; chunk += LANES) {
        if bests[chunk].x > best.x {
            best = bests[chunk];
        }
    }
    return best_over_lanes(best.x, best.y, lane);
}

fn sum_over_lanes(value: f32, lane: u32) -> f32 {
    masses[lane] = value;
    workgroupBarrier();
    for (var half = LANES / 2u; half > 0u; half /= 2u) {
        if lane < half {
            masses[lane] += masses[lane + half];
        }
        workgroupBarrier();
    }
    return workgroupUniformLoad(&masses[0]);
}
