//! Norms.

use crate::isa::{Isa, Task};
use crate::processor::Processor;

/// `out[r] = x[r] / sqrt(mean(x[r]²) + eps) * weight` for the rows of `x`: `[rows, cols]`; `weight`: `[cols]`.
pub fn rms_norm(processor: Processor, x: &[f32], weight: &[f32], out: &mut [f32], eps: f32) {
    processor.run(RmsNorm { x, weight, out, eps });
}

/// `out[r] = (x[r] - mean(x[r])) / sqrt(variance(x[r]) + eps) * weight + bias` for the rows of `x`: `[rows, cols]`; `weight`, `bias`:
/// `[cols]`.
pub fn layer_norm(processor: Processor, x: &[f32], weight: &[f32], bias: Option<&[f32]>, out: &mut [f32], eps: f32) {
    processor.run(LayerNorm { x, weight, bias, out, eps });
}

struct RmsNorm<'a> {
    x: &'a [f32],
    weight: &'a [f32],
    out: &'a mut [f32],
    eps: f32,
}

impl Task for RmsNorm<'_> {
    type Output = ();

    #[inline(always)]
    fn run<I: Isa>(self, _: I) {
        let RmsNorm { x, weight, out, eps } = self;
        let cols = weight.len();
        for (x, out) in x.chunks_exact(cols).zip(out.chunks_exact_mut(cols)) {
            let scale = 1.0 / (sum_of(x, |v| v * v) / cols as f32 + eps).sqrt();
            for ((out, x), weight) in out.iter_mut().zip(x).zip(weight) {
                *out = x * scale * weight;
            }
        }
    }
}

struct LayerNorm<'a> {
    x: &'a [f32],
    weight: &'a [f32],
    bias: Option<&'a [f32]>,
    out: &'a mut [f32],
    eps: f32,
}

impl Task for LayerNorm<'_> {
    type Output = ();

    #[inline(always)]
    fn run<I: Isa>(self, _: I) {
        let LayerNorm { x, weight, bias, out, eps } = self;
        let cols = weight.len();
        for (x, out) in x.chunks_exact(cols).zip(out.chunks_exact_mut(cols)) {
            let mean = sum_of(x, |v| v) / cols as f32;
            let variance = sum_of(x, |v| (v - mean) * (v - mean)) / cols as f32;
            let scale = 1.0 / (variance + eps).sqrt();
            for ((out, x), weight) in out.iter_mut().zip(x).zip(weight) {
                *out = (x - mean) * scale * weight;
            }
            for (out, bias) in out.iter_mut().zip(bias.unwrap_or_default()) {
                *out += bias;
            }
        }
    }
}

/// The sum of what `term` makes of values, in 16 sums side by side.
#[inline(always)]
fn sum_of(values: &[f32], term: impl Fn(f32) -> f32) -> f32 {
    let mut sums = [0.0f32; 16];
    let (runs, rest) = values.as_chunks::<16>();
    for run in runs {
        for i in 0..16 {
            sums[i] += term(run[i]);
        }
    }
    for (sum, value) in sums.iter_mut().zip(rest) {
        *sum += term(*value);
    }
    sums.iter().sum()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn rms_norms_equal_their_definition_on_every_instruction_set() {
        for cols in [1, 31, 64, 1757] {
            let x: Vec<f32> = (0..3 * cols).map(|i| (i as f32 * 0.7).sin() * 3.0).collect();
            let weight: Vec<f32> = (0..cols).map(|i| (i as f32 * 0.2).cos()).collect();
            for processor in Processor::all() {
                let mut out = vec![f32::NAN; 3 * cols];
                rms_norm(processor, &x, &weight, &mut out, 1e-5);
                for (x, out) in x.chunks(cols).zip(out.chunks(cols)) {
                    let mean = x.iter().map(|v| f64::from(*v).powi(2)).sum::<f64>() / cols as f64;
                    for ((out, x), weight) in out.iter().zip(x).zip(&weight) {
                        let expected = f64::from(*x) / (mean + 1e-5).sqrt() * f64::from(*weight);
                        assert!((f64::from(*out) - expected).abs() < 1e-5, "{processor:?} {cols}: {out} {expected}");
                    }
                }
            }
        }
    }

    #[test]
    fn layer_norms_equal_their_definition_on_every_instruction_set() {
        for (cols, biased) in [(1, false), (31, true), (64, false), (1757, true)] {
            // Their mean is far from zero.
            let x: Vec<f32> = (0..3 * cols).map(|i| (i as f32 * 0.7).sin() * 3.0 + 5.0).collect();
            let weight: Vec<f32> = (0..cols).map(|i| (i as f32 * 0.2).cos()).collect();
            let bias: Vec<f32> = (0..cols).map(|i| (i as f32 * 0.3).sin()).collect();
            for processor in Processor::all() {
                let mut out = vec![f32::NAN; 3 * cols];
                layer_norm(processor, &x, &weight, biased.then_some(&bias), &mut out, 1e-5);
                for (x, out) in x.chunks(cols).zip(out.chunks(cols)) {
                    let mean = x.iter().map(|v| f64::from(*v)).sum::<f64>() / cols as f64;
                    let variance = x.iter().map(|v| (f64::from(*v) - mean).powi(2)).sum::<f64>() / cols as f64;
                    for (i, (out, x)) in out.iter().zip(x).enumerate() {
                        let bias = if biased { f64::from(bias[i]) } else { 0.0 };
                        let expected = (f64::from(*x) - mean) / (variance + 1e-5).sqrt() * f64::from(weight[i]) + bias;
                        assert!((f64::from(*out) - expected).abs() < 1e-5, "{processor:?} {cols}: {out} {expected}");
                    }
                }
            }
        }
    }
}
