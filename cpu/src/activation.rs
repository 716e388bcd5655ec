//! The gate of an MLP.

use crate::exp::exp;
use crate::isa::{Isa, Task};
use crate::processor::Processor;

/// `out = silu(gate) * up`, element by element, where silu(v) = v · sigmoid(v).
pub fn gate_by_silu(processor: Processor, gates: &[f32], ups: &[f32], out: &mut [f32]) {
    processor.run(Gate { gates, ups, out });
}

struct Gate<'a> {
    gates: &'a [f32],
    ups: &'a [f32],
    out: &'a mut [f32],
}

impl Task for Gate<'_> {
    type Output = ();

    #[inline(always)]
    fn run<I: Isa>(self, _: I) {
        for ((out, gate), up) in self.out.iter_mut().zip(self.gates).zip(self.ups) {
            // Of a number at most 0, so that nothing overflows.
            let power = exp(-gate.abs());
            let sigmoid = (if *gate < 0.0 { power } else { 1.0 }) / (1.0 + power);
            *out = gate * sigmoid * up;
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn gates_equal_their_definition_on_every_instruction_set() {
        let gates: Vec<f32> = (-2000..2000).map(|i| i as f32 * 0.05).collect();
        let ups: Vec<f32> = (0..4000).map(|i| (i as f32 * 0.3).sin()).collect();
        for processor in Processor::all() {
            let mut out = vec![0.0; gates.len()];
            gate_by_silu(processor, &gates, &ups, &mut out);
            for ((found, gate), up) in out.iter().zip(&gates).zip(&ups) {
                let expected = f64::from(*gate) / (1.0 + (-f64::from(*gate)).exp()) * f64::from(*up);
                let error = (f64::from(*found) - expected).abs();
                assert!(error <= 1e-6 * expected.abs() + 1e-30, "{processor:?} {gate}: {found} {expected}");
            }
            let mut out = [0.0; 3];
            gate_by_silu(processor, &[f32::NAN, f32::MAX, f32::MIN], &[1.0; 3], &mut out);
            assert!(out[0].is_nan() && out[1] == f32::MAX && out[2] == 0.0, "{processor:?}: {out:?}");
        }
    }
}
