//! Twin of `shaders/chunk_argmax.wgsl`.

use super::sampling::{FAULT, HIGHEST, adjust, dry_penalty, is_fault, sane, score};
use crate::kernels::batch::{Row, drafted};
use crate::kernels::sampling::{MASKED, NO_TOKEN, STOPS, SampleShape, SamplingParams, TIMES, mask_words};

/// What sequences' tokens depend on beside the logits.
#[derive(Debug, Clone, Copy)]
pub struct Past<'a> {
    /// `[sequences, vocab]`.
    pub history: &'a [u32],
    /// `[sequences, mask_words(vocab)]`.
    pub mask: &'a [u32],
}

/// The best of each chunk.
#[derive(Debug)]
pub struct Peaks<'a> {
    /// `[rows, chunks, 2]`: the best and the mass relative to it.
    pub best: &'a mut [f32],
    /// `[rows, chunks]`: its token.
    pub places: &'a mut [u32],
}

/// Applies bias, penalties (for DRY's, `adjusted` holds what `dry` found) and mask to the `logits` (f32 bits, `[rows, columns]`) of sampled rows and finds the chunks' best.
pub fn chunk_argmax(
    rows: &[Row],
    logits: &[u32],
    params: &[SamplingParams],
    past: Past,
    adjusted: &mut [f32],
    peaks: Peaks,
    shape: &SampleShape,
) {
    let (vocab, chunk, chunks) = (shape.vocab as usize, shape.chunk() as usize, shape.chunks() as usize);
    for (r, row) in rows.iter().enumerate().filter(|(_, row)| row.is_sampled()) {
        let params = &params[row.sequence as usize];
        let history = &past.history[row.sequence as usize * vocab..][..vocab];
        let drafted = drafted(rows, r);
        let words = mask_words(shape.vocab) as usize;
        let mask = &past.mask[row.sequence as usize * words..][..words];
        let allowed = |token: usize| params.flags & MASKED == 0 || mask[token / 32] >> (token % 32) & 1 == 1;
        let logits = &logits[r * shape.columns as usize..][..vocab];
        let lengths = &adjusted[r * shape.stride() as usize..][..vocab];
        let values: Vec<f32> = logits
            .iter()
            .zip(history)
            .enumerate()
            .map(|(token, (bits, past))| {
                let logit = sane(f32::from_bits(*bits));
                let ends_early = row.position + 1 < params.min_limit && params.flags & MASKED == 0;
                if !allowed(token) || ends_early && past & STOPS != 0 {
                    return -HIGHEST;
                }
                let value = match params.remembers() {
                    true => adjust(logit, with_drafted(*past, token, &drafted), params),
                    false => logit,
                };
                match params.dry_multiplier > 0.0 {
                    true => sane(value - dry_penalty(lengths[token] as u32, params)),
                    false => value,
                }
            })
            .collect();
        let filters = !params.is_greedy() && params.has_filter(vocab);
        if filters {
            adjusted[r * shape.stride() as usize..][..vocab].copy_from_slice(&values);
        }
        for (c, values) in values.chunks(chunk).enumerate() {
            let first = (c * chunk) as u32;
            let ranked = |i: usize| match params.is_greedy() || filters {
                true => values[i],
                false => score(values[i] * params.scale(), first + i as u32, row.position + 1, params),
            };
            let mut best = (0, ranked(0));
            for i in 1..values.len() {
                let value = ranked(i);
                if value > best.1 {
                    best = (i, value);
                }
            }
            let mass = match filters && params.top_p < 1.0 {
                true => values.iter().map(|value| ((value - best.1) * params.scale()).exp()).sum(),
                false => 0.0,
            };
            let is_faulty = logits[c * chunk..][..values.len()].iter().any(|bits| is_fault(f32::from_bits(*bits)));
            let (peak, token) = if is_faulty { (FAULT, NO_TOKEN) } else { (best.1, first + best.0 as u32) };
            let at = r * chunks + c;
            peaks.best[2 * at..][..2].copy_from_slice(&[peak, mass]);
            peaks.places[at] = token;
        }
    }
}

/// A token's history with the drafted tokens counted.
fn with_drafted(past: u32, token: usize, drafted: &[u32]) -> u32 {
    let times = drafted.iter().filter(|drafted| **drafted as usize == token).count() as u32;
    past & !TIMES | ((past & TIMES) + times).min(TIMES)
}
