//! Twin of `shaders/filter_draw.wgsl`, by sorting instead of searching.

use super::sampling::{HOPELESS, dice, score, sort};
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
    let mut kept = kept(values, params);
    if params.xtc_probability > 0.0 && dice(position, params) < params.xtc_probability {
        without_top_choices(&mut kept, params.xtc_threshold);
    }
    let scores = kept.into_iter().map(|(token, _)| {
        let scaled = (values[token as usize] - most) * params.scale();
        (token, score(scaled, token, position, params))
    });
    highest(scores).0
}

/// The token of the highest score, and the first of several.
fn highest(scores: impl Iterator<Item = (u32, f32)>) -> (u32, f32) {
    let is_higher = |best: (u32, f32), other: (u32, f32)| other.1 > best.1 || other.1 == best.1 && other.0 < best.0;
    scores.reduce(|best, other| if is_higher(best, other) { other } else { best }).unwrap_or((NO_TOKEN, f32::MIN))
}

/// What the filters but XTC keep of logits, most likely first and lowest id first among equals, with softmax weights relative to the
/// best.
pub(crate) fn kept(values: &[f32], params: &SamplingParams) -> Vec<(u32, f64)> {
    let highest = values.iter().copied().fold(f32::MIN, f32::max);
    let weight = |value: f32| f64::from((value - highest) * params.scale()).exp();
    let least = if params.top_n_sigma > 0.0 { highest - params.top_n_sigma * deviation(values) } else { f32::MIN };
    let within = (0..).zip(values).filter(|(_, value)| **value >= least);
    let mut kept: Vec<(u32, f64)> = within.map(|(token, value)| (token, weight(*value))).collect();
    let order =
        |a: &(u32, f64), b: &(u32, f64)| values[b.0 as usize].total_cmp(&values[a.0 as usize]).then(a.0.cmp(&b.0));
    if params.has_top_k(kept.len()) {
        kept.select_nth_unstable_by(params.top_k as usize - 1, order);
        kept.truncate(params.top_k as usize);
    }
    let total = sum(&kept);
    if params.top_p < 1.0 {
        // Tokens lighter than this make up less than 1 - top_p together: no need to sort them.
        let least = (1.0 - f64::from(params.top_p.max(0.0))) / values.len() as f64 / 2.0;
        kept.retain(|(_, weight)| *weight >= least);
    }
    sort(&mut kept, &order);
    if params.top_p < 1.0 {
        kept.truncate(reaching(&kept, f64::from(params.top_p) * total));
    }
    if params.min_p > 0.0 {
        let least = highest + params.min_p.min(1.0).ln() / params.scale();
        kept.retain(|(token, _)| values[*token as usize] >= least);
    }
    if params.typical_p < 1.0 {
        kept = typical(kept, params.typical_p);
        sort(&mut kept, &order);
    }
    kept
}

fn sum(kept: &[(u32, f64)]) -> f64 {
    kept.iter().map(|(_, weight)| weight).sum()
}

/// How many of the first weigh so much together.
fn reaching(kept: &[(u32, f64)], wanted: f64) -> usize {
    let mut above = 0.0;
    let reached = kept.iter().position(|(_, weight)| {
        above += weight;
        above >= wanted
    });
    reached.map_or(kept.len(), |last| last + 1)
}

/// The standard deviation of the logits that may be chosen.
fn deviation(values: &[f32]) -> f32 {
    let allowed: Vec<f64> = values.iter().filter(|value| **value > HOPELESS).map(|value| f64::from(*value)).collect();
    let mean = allowed.iter().sum::<f64>() / allowed.len() as f64;
    let variance = allowed.iter().map(|value| (value - mean).powi(2)).sum::<f64>() / allowed.len() as f64;
    variance.sqrt() as f32
}

/// The tokens whose information is nearest to the mean that reach a probability together, and those that are as near as the last.
fn typical(mut kept: Vec<(u32, f64)>, typical_p: f32) -> Vec<(u32, f64)> {
    let total = sum(&kept);
    let scaled = |weight: f64| weight.max(f64::MIN_POSITIVE).ln();
    let mean = kept.iter().map(|(_, weight)| weight * scaled(*weight)).sum::<f64>() / total;
    let distance = |weight: f64| (scaled(weight) - mean).abs();
    sort(&mut kept, &|a, b| distance(a.1).total_cmp(&distance(b.1)).then(a.0.cmp(&b.0)));
    let last = reaching(&kept, f64::from(typical_p.max(0.0)) * total).max(1) - 1;
    let reach = kept.get(last).map_or(0.0, |(_, weight)| distance(*weight)) * 1.000001;
    kept.retain(|(_, weight)| distance(*weight) <= reach);
    kept
}

/// XTC: of those at least so probable, the last alone; others as they are. `kept` is in order.
pub(crate) fn without_top_choices(kept: &mut Vec<(u32, f64)>, threshold: f32) {
    let least = f64::from(threshold) * sum(kept);
    let tops = kept.iter().take_while(|(_, weight)| *weight >= least).count();
    kept.drain(..tops.saturating_sub(1));
}
