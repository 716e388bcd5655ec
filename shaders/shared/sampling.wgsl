// What the sampling kernels share: a sequence's parameters, an order of f32 as integers, and the random numbers.
// Integers order the logits, so that a NaN or an infinity can neither hang a search nor win it.

struct Sampling {
    temperature: f32,   // below GREEDY_BELOW: the most likely token
    top_k: u32,         // 0: off
    top_p: f32,         // 1: off
    min_p: f32,         // 0: off
    repetition: f32,    // 1: off
    frequency: f32,     // 0: off
    presence: f32,      // 0: off
    limit: u32,         // position at which the sequence ends; 0: none
    seed_lo: u32,
    seed_hi: u32,
    flags: u32,         // BIASED, MASKED, HOLD and LOGPROBS, or 0
    min_limit: u32,     // stop tokens are not chosen for positions below this; 0: off
    typical_p: f32,     // 1: off
    top_n_sigma: f32,   // 0: off
    xtc_probability: f32,   // 0: off
    xtc_threshold: f32,
    dry_multiplier: f32,    // 0: off
    dry_base: f32,
    dry_allowed: u32,   // repeated tokens in front of one that is not penalised yet, plus one
    dry_last_n: u32,    // how many tokens DRY looks back on
}

override VOCAB: u32;
override CHUNK: u32;    // tokens a chunk; chunks split a row's vocabulary in 256 parts at most
override CHUNKS: u32;

const BIASED: u32 = 1u;     // the history holds biases
const MASKED: u32 = 2u;     // a mask says which tokens are allowed
const HOLD: u32 = 4u;       // the row is held once its token is chosen
const LOGPROBS: u32 = 8u;   // the likeliest tokens are told with their log-probabilities

// Parts of a word of the history.
const TIMES: u32 = 0x7fffu;     // how often the token was generated
const STOPS: u32 = 0x8000u;     // the token is a stop token

const GREEDY_BELOW: f32 = 1e-5;
const HIGHEST_BITS: u32 = 0x7149f2cau;  // 1e30: far beyond any logit, and still finite after division by a temperature
const MAX: u32 = 0xffffffffu;
const FAULT_BITS: u32 = 0x7f7fffffu;    // 3.4e38, beyond any score: the peak of a chunk that holds no numbers
const HOPELESS: f32 = -1e20;            // no logit that may be chosen scores less
const NO_TOKEN: u32 = 0xffffffffu;      // stands in a token's place where no token can be chosen

// Whether a token is chosen for the row in this step.
fn is_sampled(row: Row) -> bool {
    return (row.flags & (FINISHED | HELD)) == 0u;
}

// How many rows before this one verify the same draft; 0 for a row that verifies none.
fn place_in_draft(row: u32) -> u32 {
    if (batch.rows[row].flags & VERIFY) == 0u {
        return 0u;
    }
    var before = 0u;
    for (var r = 0u; r < row; r++) {
        let other = batch.rows[r];
        let same = (other.flags & VERIFY) != 0u && other.sequence == batch.rows[row].sequence;
        before += select(0u, 1u, same);
    }
    return before;
}

fn is_greedy(s: Sampling) -> bool {
    return !(s.temperature >= GREEDY_BELOW);
}

fn has_filter(s: Sampling) -> bool {
    return (s.top_k > 0u && s.top_k < VOCAB) || s.top_p < 1.0 || s.min_p > 0.0 || s.typical_p < 1.0
        || s.top_n_sigma > 0.0 || s.xtc_probability > 0.0;
}

fn inverse_temperature(s: Sampling) -> f32 {
    return 1.0 / min(s.temperature, 1e6);
}

// The f32 of these bits within ±1e30; NaN becomes -1e30, which is never chosen while there is anything else.
fn sane(bits: u32) -> f32 {
    let magnitude = bits & 0x7fffffffu;
    let negative = (bits >> 31u) == 1u || magnitude > 0x7f800000u;
    let limited = min(magnitude, HIGHEST_BITS);
    return bitcast<f32>(select(limited, limited | 0x80000000u, negative && limited != 0u));
}

// Unsigned integers in the order of sane f32 values. Never 0.
fn key_of(value: f32) -> u32 {
    let bits = bitcast<u32>(value);
    return select(bits | 0x80000000u, ~bits, (bits >> 31u) == 1u);
}

fn value_of(key: u32) -> f32 {
    return bitcast<f32>(select(~key, key & 0x7fffffffu, (key >> 31u) == 1u));
}

// High half of a 64-bit product, which WGSL lacks.
fn multiply_high(a: u32, b: u32) -> u32 {
    let low = (a & 0xffffu) * (b & 0xffffu);
    let left = (a >> 16u) * (b & 0xffffu) + (low >> 16u);
    let right = (a & 0xffffu) * (b >> 16u) + (left & 0xffffu);
    return (a >> 16u) * (b >> 16u) + (left >> 16u) + (right >> 16u);
}

// Philox 4x32-10 (Salmon et al., "Parallel random numbers: as easy as 1, 2, 3"): four random words of a counter and a key.
// The counter is (token / 4, position, use), so a token's number depends on the seed and its place in the sequence alone.
// Uses: TOKENS, the numbers of tokens; DICE, whether XTC does anything at a position.
const TOKENS: u32 = 0u;
const DICE: u32 = 1u;

fn philox(block: u32, position: u32, purpose: u32, seed_lo: u32, seed_hi: u32) -> vec4<u32> {
    var c = vec4<u32>(block, position, purpose, 0u);
    var key = vec2<u32>(seed_lo, seed_hi);
    for (var round = 0u; round < 10u; round++) {
        let a = 0xd2511f53u * c.x;
        let b = 0xcd9e8d57u * c.z;
        c = vec4<u32>(multiply_high(0xcd9e8d57u, c.z) ^ c.y ^ key.x, b, multiply_high(0xd2511f53u, c.x) ^ c.w ^ key.y, a);
        key += vec2<u32>(0x9e3779b9u, 0xbb67ae85u);
    }
    return c;
}

// An exponentially distributed number from random bits: -ln(1 - t) for a uniform t in (0, 1). The small ones decide a draw,
// and there WGSL's log is too coarse: -ln(1 - t) = 2 artanh(t / (2 - t)) is summed instead.
fn exponential(bits: u32) -> f32 {
    let t = select(f32(bits >> 8u) * 5.9604644775390625e-8, (f32(bits) + 0.5) * 2.3283064365386963e-10, bits < 0x1000000u);
    if t >= 0.5 {
        return -log(1.0 - t);
    }
    let s = t / (2.0 - t);
    let q = s * s;
    return 2.0 * s * (1.0 + q * (1.0 / 3.0 + q * (0.2 + q * (1.0 / 7.0 + q * (1.0 / 9.0 + q / 11.0)))));
}

// The token of the highest score is drawn: `scaled` = logit / temperature, plus Gumbel noise. So a draw needs no sum over
// the vocabulary, and does not depend on the order in which a device adds.
fn score(scaled: f32, bits: u32) -> f32 {
    return scaled - log(exponential(bits));
}
