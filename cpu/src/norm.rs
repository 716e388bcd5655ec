//! The root-mean-square norm.

use crate::isa::{Isa, Task};
use crate::processor::Processor;

/// `out[r] = x[r] / sqrt(mean(x[r]²) + eps) * weight` for the rows of `x`: `[rows, cols]`; `weight`: `[cols]`.
pub fn rms_norm(processor: Processor, x: &[f32], weight: &[f32], out: &mut [f32], eps: f32) {
    processor.run(Norm { x, weight, out, eps });
}

struct Norm<'a> {
    x: &'a [f32],
    weight: &'a [f32],
    out: &'a mut [f32],
    eps: f32,
}

impl Task for Norm<'_> {
    type Output = ();

    #[inline(always)]
    fn run<I: Isa>(self, _: I) {
        let Norm { x, weight, out, eps } = self;
        let cols = weight.len();
        for (x, out) in x.chunks_exact(cols).zip(out.chunks_exact_mut(cols)) {
            let mut sums = [0.0f32; 16];
            let (runs, rest) = x.as_chunks::<16>();
            for run in runs {
                (0..16).for_each(|i| sums[i] += run[i] * run[i]);
            }
            let rest: f32 = rest.iter().map(|v| v * v).sum();
            let scale = 1.0 / ((sums.iter().sum::<f32>() + rest) / cols as f32 + eps).sqrt();
            for ((out, x), weight) in out.iter_mut().zip(x).zip(weight) {
                *out = x * scale * weight;
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn norms_equal_their_definition_on_every_instruction_set() {
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
}
