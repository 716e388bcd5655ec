//! Twin of `shaders/logprobs.wgsl`.

use super::sampling::{HOPELESS, sane, sort};
use crate::kernels::batch::{Row, place_in_draft};
use crate::kernels::sampling::{LOGPROB_WORDS, LOGPROBS, NO_TOKEN, RING, SampleShape, SamplingParams, TOP_LOGPROBS};

/// Writes the log-probabilities of the `chosen` tokens and of the likeliest ones, for the rows that ask, to `logprobs`:
/// `[sequences, RING, LOGPROB_WORDS]`. `logits`: f32 bits, `[rows, columns]`.
pub fn logprobs(
    (rows, step): (&[Row], u32),
    logits: &[u32],
    params: &[SamplingParams],
    chosen: &[u32],
    logprobs: &mut [u32],
    shape: &SampleShape,
) {
    for (r, row) in rows.iter().enumerate().filter(|(_, row)| row.is_sampled()) {
        if params[row.sequence as usize].flags & LOGPROBS == 0 {
            continue;
        }
        let place = row.sequence * RING + step.wrapping_add(place_in_draft(rows, r)) % RING;
        let pairs = &mut logprobs[(place * LOGPROB_WORDS) as usize..][..LOGPROB_WORDS as usize];
        let logits = &logits[(r as u32 * shape.columns) as usize..][..shape.vocab as usize];
        for (pair, (token, logprob)) in pairs.chunks_exact_mut(2).zip(told(logits, chosen[r])) {
            pair.copy_from_slice(&[token, logprob.to_bits()]);
        }
    }
}

/// The chosen token and the likeliest, in order, and where there are fewer [`NO_TOKEN`].
fn told(logits: &[u32], chosen: u32) -> impl Iterator<Item = (u32, f32)> {
    let values: Vec<f32> = logits.iter().map(|bits| sane(f32::from_bits(*bits))).collect();
    let highest = f64::from(values.iter().copied().fold(f32::MIN, f32::max));
    let total = highest + values.iter().map(|value| (f64::from(*value) - highest).exp()).sum::<f64>().ln();
    let logprob = |token: u32| (token, (f64::from(values[token as usize]) - total) as f32);
    let mut told = Vec::new();
    if chosen != NO_TOKEN {
        let likely = (0..).zip(&values).filter(|(_, value)| **value > HOPELESS);
        let mut order: Vec<(u32, f64)> = likely.map(|(token, value)| (token, f64::from(*value))).collect();
        sort(&mut order, &|a, b| b.1.total_cmp(&a.1).then(a.0.cmp(&b.0)));
        told.push(logprob(chosen));
        told.extend(order.into_iter().take(TOP_LOGPROBS as usize).map(|(token, _)| logprob(token)));
    }
    told.into_iter().chain(std::iter::repeat((NO_TOKEN, 0.0)))
}
