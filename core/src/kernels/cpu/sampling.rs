//! Twin of `shaders/shared/sampling.wgsl`.

use std::cmp::Ordering;

use crate::kernels::sampling::{BIASED, SamplingParams, TIMES};

/// The peak of a chunk that holds no numbers: beyond any score.
pub(super) const FAULT: f32 = f32::MAX;

/// No logit that may be chosen scores less.
pub(super) const HOPELESS: f32 = -1e20;

/// Beyond any logit, and still finite after division by a temperature.
pub(super) const HIGHEST: f32 = 1e30;

/// What random numbers are for, beside those of tokens (0).
const DICE: u32 = 1;

/// No repetition costs more: beyond any logit, and far from forbidding.
const DRY_MOST: f32 = 1e6;

/// A token, and what it weighs.
pub(super) type Weighed = (u32, f64);

/// Sorts tokens. One for all orders, since each would bring its own copy of the library's sort.
pub(super) fn sort(tokens: &mut [Weighed], order: &dyn Fn(&Weighed, &Weighed) -> Ordering) {
    tokens.sort_unstable_by(order);
}

impl SamplingParams {
    /// True when the most likely token is taken.
    pub(super) fn is_greedy(&self) -> bool {
        // A NaN is greedy, too.
        self.temperature.is_nan() || self.temperature < 1e-5
    }

    /// True when top_k says something about a vocabulary of this size.
    pub(super) fn has_top_k(&self, vocab: usize) -> bool {
        self.top_k > 0 && (self.top_k as usize) < vocab
    }

    /// True when there is more to do than to draw.
    pub(super) fn has_filter(&self, vocab: usize) -> bool {
        self.has_top_k(vocab)
            || self.top_p < 1.0
            || self.min_p > 0.0
            || self.typical_p < 1.0
            || self.top_n_sigma > 0.0
            || self.xtc_probability > 0.0
    }

    /// What logits are multiplied by before the softmax.
    pub(super) fn scale(&self) -> f32 {
        1.0 / self.temperature.min(1e6)
    }
}

/// The value within ±1e30 and without the sign of zero; NaN becomes -1e30.
pub(super) fn sane(value: f32) -> f32 {
    if value.is_nan() { -HIGHEST } else { value.clamp(-HIGHEST, HIGHEST) + 0.0 }
}

/// Whether a logit is a NaN or +infinity. (A model may forbid a token by -infinity.)
pub(super) fn is_fault(value: f32) -> bool {
    value.is_nan() || value == f32::INFINITY
}

/// Bias and penalties of one logit; `past` as in `history_words`.
pub(super) fn adjust(logit: f32, past: u32, params: &SamplingParams) -> f32 {
    let mut value = logit;
    if params.flags & BIASED != 0 {
        let steps = ((past << 1) as i32) >> 17;
        if steps == -0x4000 {
            return -HIGHEST;
        }
        value += steps as f32 / 128.0;
    }
    let times = past & TIMES;
    if times > 0 || past >> 31 == 1 {
        let penalty = params.repetition_penalty;
        value = if value > 0.0 { value / penalty } else { value * penalty };
    }
    if times > 0 {
        value -= times as f32 * params.frequency_penalty + params.presence_penalty;
    }
    sane(value)
}

/// Four random words of a counter and a key: Philox 4x32-10 (Salmon et al., 2011).
pub fn philox(counter: [u32; 4], key: [u32; 2]) -> [u32; 4] {
    let (mut c, mut key) = (counter, key);
    for _ in 0..10 {
        let (a, b) = (0xd251_1f53 * u64::from(c[0]), 0xcd9e_8d57 * u64::from(c[2]));
        c = [(b >> 32) as u32 ^ c[1] ^ key[0], b as u32, (a >> 32) as u32 ^ c[3] ^ key[1], a as u32];
        key = [key[0].wrapping_add(0x9e37_79b9), key[1].wrapping_add(0xbb67_ae85)];
    }
    c
}

/// An exponentially distributed number from random bits.
fn exponential(bits: u32) -> f32 {
    let t = match bits < 1 << 24 {
        true => (bits as f32 + 0.5) * (-32f32).exp2(),
        false => (bits >> 8) as f32 * (-24f32).exp2(),
    };
    -(-t).ln_1p()
}

/// A number in [0, 1) for XTC at `position`.
pub(super) fn dice(position: u32, params: &SamplingParams) -> f32 {
    let words = philox([0, position, DICE, 0], [params.seed_lo, params.seed_hi]);
    (words[0] >> 8) as f32 * (-24f32).exp2()
}

/// What DRY subtracts for a token that would make a repetition of so many tokens longer.
pub(super) fn dry_penalty(length: u32, params: &SamplingParams) -> f32 {
    let allowed = params.dry_allowed_length.max(1);
    if length < allowed {
        return 0.0;
    }
    let mut penalty = params.dry_multiplier;
    for _ in allowed..length {
        if penalty >= DRY_MOST {
            break;
        }
        penalty *= params.dry_base;
    }
    penalty.min(DRY_MOST)
}

/// Score of `token` entering at `position`: the highest is drawn. `scaled` = logit / temperature.
pub(super) fn score(scaled: f32, token: u32, position: u32, params: &SamplingParams) -> f32 {
    let words = philox([token / 4, position, 0, 0], [params.seed_lo, params.seed_hi]);
    scaled - exponential(words[token as usize % 4]).ln()
}
