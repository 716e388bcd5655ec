// What both attention shaders share: constants, and how an answer leaves.
//
// q: [rows, QKV_WIDTH] f32, of which the first HEADS * DIM columns are rotated queries. kv0 and further segments, pages: see kv.wgsl.
// out: with SPLITS = 1 the answer, [rows, HEADS, DIM] f32. Otherwise parts for attention_reduce,
// [rows, HEADS, SPLITS, DIM + 4] f32: the unnormalised sum of values, then the maximal score and the sum of weights.
// A row sees the positions from FIRST (0 or 1) up to its own, or with a WINDOW (not 0) the last WINDOW of them and the first KEEP; behind its
// own so many as its flags say, of which a window shows as many as before it. Loops walk what is visible by its number, so that what is not
// costs nothing and its pages may be gone.
// DIM (the head's width, as HEAD_DIM) and GROUP (query heads that share a key head) come from the prelude, since they
// size arrays.

override HEADS: u32;
override QKV_WIDTH: u32;
override SCALE: f32;
override CAP: f32;  // scores stay within ±CAP; 0 for no bound
override MAX_BIAS: f32;  // ALiBi; 0 for none
override SPLITS: u32;
override WINDOW: u32;
override KEEP: u32;
override FIRST: u32;

// Below every score, and finite: infinities are not to be relied on in WGSL.
const LOWEST: f32 = -3.0e38;
const VECS: u32 = DIM / 4u;

fn query4(row: u32, head: u32, i: u32) -> vec4<f32> {
    let at = row * QKV_WIDTH + head * DIM + 4u * i;
    return vec4(q[at], q[at + 1u], q[at + 2u], q[at + 3u]) * SCALE;
}

fn capped(score: f32) -> f32 {
    if CAP == 0.0 {
        return score;
    }
    return CAP * tanh(clamp(score / CAP, -10.0, 10.0));
}

// ALiBi: a score less its distance by the head's slope, which falls from head to head (core/src/kernels/attention.rs).
fn biased(score: f32, head: u32, position: u32, own: u32) -> f32 {
    if MAX_BIAS == 0.0 {
        return score;
    }
    let whole = 1u << firstLeadingBit(HEADS);
    let place = select(f32(head) - f32(whole) + 0.5, f32(head + 1u), head < whole);
    return score - exp2(-MAX_BIAS * place / f32(whole)) * abs(f32(position) - f32(own));
}

// First position of the window of a row at `position`.
fn window_start(position: u32) -> u32 {
    return max(FIRST, select(0u, position + 1u - min(WINDOW, position + 1u), WINDOW > 0u));
}

// Behind the last position that a row sees.
fn visible_end(row: Row) -> u32 {
    let ahead = ahead_of(row);
    return row.position + 1u + select(ahead, min(ahead, max(WINDOW, 1u) - 1u), WINDOW > 0u);
}

// Visible positions of rows whose windows begin at `start` and end before `end`.
fn visible(start: u32, end: u32) -> u32 {
    return min(KEEP, start) + end - start;
}

// The visible position of this number: kept ones come first.
fn position_of(number: u32, start: u32) -> u32 {
    let kept = min(KEEP, start);
    return select(number - kept + start, number, number < kept);
}

// The maximal score and the sum of weights before the first position: the sink is the first split's.
fn first_highest(head: u32, split: u32) -> f32 {
    return select(LOWEST, sink(head), SINKS && split == 0u);
}

fn first_total(split: u32) -> f32 {
    return select(0.0, 1.0, SINKS && split == 0u);
}

// First float of the answer of a head, or of its part in `split`.
fn out_word(row: u32, head: u32, split: u32) -> u32 {
    return ((row * HEADS + head) * SPLITS + split) * select(DIM, DIM + 4u, SPLITS > 1u);
}

fn store4(word: u32, i: u32, value: vec4<f32>) {
    let at = word + 4u * i;
    out[at] = value.x;
    out[at + 1u] = value.y;
    out[at + 2u] = value.z;
    out[at + 3u] = value.w;
}

fn store_weights(word: u32, highest: f32, total: f32) {
    if SPLITS > 1u {
        out[word + DIM] = highest;
        out[word + DIM + 1u] = total;
    }
}

// Factor that turns the sum of values into what is stored.
fn final_scale(total: f32) -> f32 {
    return select(1.0 / total, 1.0, SPLITS > 1u);
}
