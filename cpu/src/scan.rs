//! What sampling does with every token of a vocabulary.

use crate::exp::exp;
use crate::isa::{Isa, Task};
use crate::processor::Processor;

/// The highest of some logits.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct Peak {
    /// Where it is first.
    pub place: usize,
    /// Its value.
    pub value: f32,
    /// Whether one of them is a NaN or positive infinity; then all else is of no account.
    pub is_faulty: bool,
}

/// The highest of logits, each taken as `highest` at most and as its negative at least.
pub fn peak(processor: Processor, logits: &[f32], highest: f32) -> Peak {
    processor.run(Highest { logits, highest })
}

/// The sum of `exp((value - peak) * scale)` of values that are `peak` at most.
pub fn mass(processor: Processor, values: &[f32], peak: f32, scale: f32) -> f32 {
    processor.run(Mass { values, peak, scale })
}

/// Values that are compared side by side.
const LANES: usize = 16;

struct Highest<'a> {
    logits: &'a [f32],
    highest: f32,
}

impl Task for Highest<'_> {
    type Output = Peak;

    #[inline(always)]
    fn run<I: Isa>(self, _: I) -> Peak {
        let Highest { logits, highest } = self;
        let mut peaks = [-highest; LANES];
        let mut faults = [0u32; LANES];
        let (runs, rest) = logits.as_chunks::<LANES>();
        for run in runs {
            for i in 0..LANES {
                peaks[i] = if run[i] > peaks[i] { run[i] } else { peaks[i] };
                faults[i] |= u32::from(is_fault(run[i]));
            }
        }
        for value in rest {
            peaks[0] = if *value > peaks[0] { *value } else { peaks[0] };
            faults[0] |= u32::from(is_fault(*value));
        }
        let (mut value, mut any) = (-highest, 0);
        for i in 0..LANES {
            value = if peaks[i] > value { peaks[i] } else { value };
            any |= faults[i];
        }
        let value = if value > highest { highest } else { value };
        let place = if value == -highest { 0 } else { first_from(logits, value) };
        // Without a sign, where it is 0.
        Peak { place, value: value + 0.0, is_faulty: any != 0 }
    }
}

/// Where the first logit is that is not below `value`.
#[inline(always)]
fn first_from(logits: &[f32], value: f32) -> usize {
    let (runs, rest) = logits.as_chunks::<LANES>();
    for (number, run) in runs.iter().enumerate() {
        let mut any = 0;
        for logit in run {
            any |= u32::from(*logit >= value);
        }
        if any != 0 {
            let before = run.iter().position(|logit| *logit >= value);
            return number * LANES + before.unwrap_or(0);
        }
    }
    runs.len() * LANES + rest.iter().position(|logit| *logit >= value).unwrap_or(0)
}

/// Whether a logit is a NaN or positive infinity.
#[inline(always)]
fn is_fault(logit: f32) -> bool {
    const INFINITY: u32 = f32::INFINITY.to_bits();
    let bits = logit.to_bits();
    bits == INFINITY || bits & 0x7fff_ffff > INFINITY
}

struct Mass<'a> {
    values: &'a [f32],
    peak: f32,
    scale: f32,
}

impl Task for Mass<'_> {
    type Output = f32;

    #[inline(always)]
    fn run<I: Isa>(self, _: I) -> f32 {
        let Mass { values, peak, scale } = self;
        let mut sums = [0.0f32; LANES];
        let (runs, rest) = values.as_chunks::<LANES>();
        for run in runs {
            for i in 0..LANES {
                sums[i] += exp((run[i] - peak) * scale);
            }
        }
        let mut sum = 0.0;
        for value in rest {
            sum += exp((value - peak) * scale);
        }
        for part in sums {
            sum += part;
        }
        sum
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const HIGHEST: f32 = 1e30;

    #[test]
    fn peak_is_the_first_highest_on_every_instruction_set() {
        let logits: Vec<f32> = (0..1757).map(|i| ((i * 7919) % 1009) as f32).collect();
        for processor in Processor::all() {
            for len in [1, 15, 16, 17, 33, 1757] {
                let found = peak(processor, &logits[..len], HIGHEST);
                let value = logits[..len].iter().copied().fold(f32::MIN, f32::max);
                let place = logits.iter().position(|logit| *logit == value).unwrap();
                assert_eq!(found, Peak { place, value, is_faulty: false }, "{processor:?} {len}");
            }
        }
    }

    #[test]
    fn peak_bounds_logits_and_tells_faults() {
        for processor in Processor::all() {
            let peak_of = |logits: &[f32]| {
                let Peak { place, value, is_faulty } = peak(processor, logits, HIGHEST);
                (place, value, is_faulty)
            };
            assert_eq!(peak_of(&[f32::NEG_INFINITY; 40]), (0, -HIGHEST, false));
            assert_eq!(peak_of(&[f32::NEG_INFINITY, -3.0]), (1, -3.0, false));
            assert_eq!(peak_of(&[0.0, 1e31, f32::MAX]), (1, HIGHEST, false));
            assert!(peak_of(&[-0.0]).1.is_sign_positive());
            for (at, fault) in [(3, f32::NAN), (20, -f32::NAN), (32, f32::INFINITY)] {
                let mut logits = [0.0; 33];
                logits[at] = fault;
                assert!(peak_of(&logits).2, "{processor:?} {fault}");
            }
        }
    }

    #[test]
    fn mass_is_the_sum_of_exponentials() {
        let values: Vec<f32> = (0..1757).map(|i| -((i * 31 % 97) as f32) / 9.0).collect();
        for processor in Processor::all() {
            for len in [1, 16, 1757] {
                let exact: f64 = values[..len].iter().map(|value| (f64::from(*value) * 0.7).exp()).sum();
                let found = mass(processor, &values[..len], 0.0, 0.7);
                assert!((f64::from(found) - exact).abs() < exact * 1e-6, "{processor:?} {len}: {found} {exact}");
            }
            assert_eq!(mass(processor, &[-HIGHEST, 2.0, -3.0e38], 2.0, 1.0), 1.0);
        }
    }
}
