// What both attention shaders share: bindings, constants, and how an answer leaves.
//
// q: [rows, QKV_WIDTH] f32, of which the first HEADS * DIM columns are rotated queries. keys, values, pages: see kv.wgsl.
// out: with SPLITS = 1 the answer, [rows, HEADS, DIM] f32. Otherwise parts for attention_reduce,
// [rows, HEADS, SPLITS, DIM + 4] f32: the unnormalised sum of values, then the maximal score and the sum of weights.
// DIM (the head's width, as HEAD_DIM) and GROUP (query heads that share a key head) come from the prelude, since they
// size arrays.

@group(0) @binding(0) var<storage, read> batch: Batch;
@group(0) @binding(1) var<storage, read> q: array<f32>;
@group(0) @binding(2) var<storage, read> keys: array<u32>;
@group(0) @binding(3) var<storage, read> values: array<u32>;
@group(0) @binding(4) var<storage, read> pages: array<u32>;
@group(0) @binding(5) var<storage, read_write> out: array<f32>;

override HEADS: u32;
override QKV_WIDTH: u32;
override SCALE: f32;
override SPLITS: u32;

// Below every score, and finite: infinities are not to be relied on in WGSL.
const LOWEST: f32 = -3.0e38;
const VECS: u32 = DIM / 4u;

fn query4(row: u32, head: u32, i: u32) -> vec4<f32> {
    let at = row * QKV_WIDTH + head * DIM + 4u * i;
    return vec4(q[at], q[at + 1u], q[at + 2u], q[at + 3u]) * SCALE;
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
