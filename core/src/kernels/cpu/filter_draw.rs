//! Twin of `shaders/filter_draw.wgsl`, by sorting instead of searching.

use super::sampling::{HOPELESS, score};
use crate::kernels::batch::Row;
use crate::kernels::sampling::{NO_TOKEN, SampleShape, SamplingParams};

/// Chooses the token of each sampled row, or [`NO_TOKEN`]. `peaks` and `places`: `[rows, chunks, 2]` and `[rows, chunks]`, as `chunk_argmax`
/// leaves them.
pub fn filter_draw(
    rows: &[Row],
    adjusted: &[f32],
    (peaks, places): (&[f32], &[u32]),
    params: &[SamplingParams],
    chosen: &mut [u32],
    shape: &SampleShape,
) {
    let (vocab, chunks) = (shape.vocab as usize, shape.chunks() as usize);
    for (r, row) in rows.iter().enumerate().filter(|(_, row)| row.is_sampled()) {
        let params = &params[row.sequence as usize];
        let (best, peak) = highest((0..chunks).map(|c| (places[r * chunks + c], peaks[2 * (r * chunks + c)])));
        chosen[r] = if best == NO_TOKEN || peak < HOPELESS {
            NO_TOKEN
        } else if !params.is_greedy() && params.has_filter(vocab) {
            draw(&adjusted[r * shape.stride() as usize..][..vocab], row.position + 1, params)
        } else {
            best
        };
    }
}

/// The token drawn for `position` from what the filters keep of `values`, logits after bias and penalties.
fn draw(values: &[f32], position: u32, params: &SamplingParams) -> u32 {
    let most = values.iter().copied().fold(f32::MIN, f32::max);
    let mut tokens: Vec<u32> = kept(values, params).into_iter().map(|(token, _)| token).collect();
    tokens.sort_unstable();
    let scores = tokens.into_iter().map(|token| {
        let scaled = (values[token as usize] - most) * params.scale();
        (token, score(scaled, token, position, params))
    });
    highest(scores).0
}

/// The token of the highest score, and the first of several.
fn highest(scores: impl Iterator<Item = (u32, f32)>) -> (u32, f32) {
    let higher = |best: (u32, f32), other: (u32, f32)| if other.1 > best.1 { other } else { best };
    scores.reduce(higher).unwrap_or((NO_TOKEN, f32::MIN))
}

/// What top_k, top_p and min_p keep, most likely first and lowest id first among equals, with softmax weights relative to
/// the best.
pub(crate) fn kept(values: &[f32], params: &SamplingParams) -> Vec<(u32, f64)> {
    let highest = values.iter().copied().fold(f32::MIN, f32::max);
    let weight = |value: f32| f64::from((value - highest) * params.scale()).exp();
    let mut kept: Vec<(u32, f64)> = (0..).zip(values.iter().map(|value| weight(*value))).collect();
    let order =
        |a: &(u32, f64), b: &(u32, f64)| values[b.0 as usize].total_cmp(&values[a.0 as usize]).then(a.0.cmp(&b.0));
    if params.has_top_k(values.len()) {
        kept.select_nth_unstable_by(params.top_k as usize - 1, order);
        kept.truncate(params.top_k as usize);
    }
    let total: f64 = kept.iter().map(|(_, weight)| weight).sum();
    if params.top_p < 1.0 {
        // Tokens lighter than this make up less than 1 - top_p together: no need to sort them.
        let least = (1.0 - f64::from(params.top_p.max(0.0))) / values.len() as f64 / 2.0;
        kept.retain(|(_, weight)| *weight >= least);
    }
    kept.sort_unstable_by(order);
    if params.top_p < 1.0 {
        let wanted = f64::from(params.top_p) * total;
        let mut above = 0.0;
        let reached = kept.iter().position(|(_, weight)| {
            above += weight;
            above >= wanted
        });
        kept.truncate(reached.map_or(kept.len(), |last| last + 1));
    }
    if params.min_p > 0.0 {
        let least = highest + params.min_p.min(1.0).ln() / params.scale();
        kept.retain(|(token, _)| values[*token as usize] >= least);
    }
    kept
}
