//! Activation functions.

use std::marker::PhantomData;

use crate::exp::{exp, tanh};
use crate::isa::{Isa, Task};
use crate::processor::Processor;

/// An activation function.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum ActivationFunction {
    /// `v · sigmoid(v)`.
    Silu,
    /// `v · Φ(v)`, where Φ is the normal distribution's.
    Gelu,
    /// The same by the hyperbolic tangent, nearly.
    GeluTanh,
}

/// `out = function(gate) * up`, element by element.
pub fn gate(processor: Processor, function: ActivationFunction, gates: &[f32], ups: &[f32], out: &mut [f32]) {
    out.copy_from_slice(gates);
    activate(processor, function, out);
    out.iter_mut().zip(ups).for_each(|(out, up)| *out *= up);
}

/// Each value becomes what the function makes of it.
pub fn activate(processor: Processor, function: ActivationFunction, values: &mut [f32]) {
    match function {
        ActivationFunction::Silu => processor.run(Activate { values, function: PhantomData::<Silu> }),
        ActivationFunction::Gelu => processor.run(Activate { values, function: PhantomData::<Gelu> }),
        ActivationFunction::GeluTanh => processor.run(Activate { values, function: PhantomData::<GeluTanh> }),
    }
}

/// Values that are computed at once.
const RUN: usize = 16;

/// A function that compilers make vectors of.
trait Function {
    fn of(v: f32) -> f32;
}

struct Silu;
struct Gelu;
struct GeluTanh;

impl Function for Silu {
    #[inline(always)]
    fn of(v: f32) -> f32 {
        // Of a number at most 0, so that nothing overflows.
        let power = exp(-v.abs());
        v * ((if v < 0.0 { power } else { 1.0 }) / (1.0 + power))
    }
}

impl Function for Gelu {
    #[inline(always)]
    fn of(v: f32) -> f32 {
        0.5 * v * (1.0 + erf(v * std::f32::consts::FRAC_1_SQRT_2))
    }
}

impl Function for GeluTanh {
    #[inline(always)]
    fn of(v: f32) -> f32 {
        const ROOT_OF_2_BY_PI: f32 = 0.797_884_6;
        0.5 * v * (1.0 + tanh(ROOT_OF_2_BY_PI * (v + 0.044_715 * v * v * v)))
    }
}

/// The error function to 1.5e-7 (Abramowitz and Stegun, 7.1.26).
#[inline(always)]
fn erf(v: f32) -> f32 {
    let t = 1.0 / (1.0 + 0.327_591_1 * v.abs());
    let series = [1.061_405_4, -1.453_152, 1.421_413_7, -0.284_496_74, 0.254_829_6];
    (1.0 - series.into_iter().fold(0.0, |sum, term| (sum + term) * t) * exp(-v * v)).copysign(v)
}

struct Activate<'a, F> {
    values: &'a mut [f32],
    function: PhantomData<F>,
}

impl<F: Function> Task for Activate<'_, F> {
    type Output = ();

    #[inline(always)]
    fn run<I: Isa>(self, _: I) {
        for values in self.values.chunks_mut(RUN) {
            // A last run that is not full goes the same way, so that there is one loop of code and no other for what is left.
            let mut run = [0.0; RUN];
            match values.first_chunk() {
                Some(values) => run = *values,
                None => run[..values.len()].copy_from_slice(values),
            }
            for value in &mut run {
                *value = F::of(*value);
            }
            match values.first_chunk_mut() {
                Some(values) => *values = run,
                None => values.copy_from_slice(&run[..values.len()]),
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const ALL: [ActivationFunction; 3] =
        [ActivationFunction::Silu, ActivationFunction::Gelu, ActivationFunction::GeluTanh];

    /// In f64; `erf` by its series, or by what is left of 1 where that is slow.
    fn expected(function: ActivationFunction, v: f64) -> f64 {
        match function {
            ActivationFunction::Silu => v / (1.0 + (-v).exp()),
            ActivationFunction::Gelu => 0.5 * v * (1.0 + erf_in_f64(v * std::f64::consts::FRAC_1_SQRT_2)),
            ActivationFunction::GeluTanh => {
                let inner = (2.0 / std::f64::consts::PI).sqrt() * (v + 0.044715 * v * v * v);
                0.5 * v * (1.0 + inner.tanh())
            }
        }
    }

    fn erf_in_f64(v: f64) -> f64 {
        if v.abs() > 5.0 {
            return v.signum();
        }
        let (mut term, mut sum) = (v, v);
        for n in 1..200 {
            term *= -v * v / f64::from(n);
            sum += term / f64::from(2 * n + 1);
        }
        sum * std::f64::consts::FRAC_2_SQRT_PI
    }

    #[test]
    fn functions_equal_their_definitions_on_every_instruction_set() {
        let gates: Vec<f32> = (-2000..2000).map(|i| i as f32 * 0.05).collect();
        let ups: Vec<f32> = (0..4000).map(|i| (i as f32 * 0.3).sin()).collect();
        for (processor, function) in Processor::all().into_iter().flat_map(|one| ALL.map(|function| (one, function))) {
            let mut gated = vec![0.0; gates.len()];
            gate(processor, function, &gates, &ups, &mut gated);
            let mut alone = gates.clone();
            activate(processor, function, &mut alone);
            for ((found, alone), (gate, up)) in gated.iter().zip(&alone).zip(gates.iter().zip(&ups)) {
                assert_eq!(found.to_bits(), (alone * up).to_bits(), "{processor:?} {function:?} {gate}");
                let expected = expected(function, f64::from(*gate));
                let error = (f64::from(*alone) - expected).abs();
                // GELU takes the distribution from 1, so that what is small has the error of what is not.
                let scale = if function == ActivationFunction::Silu { expected.abs() } else { f64::from(gate.abs()) };
                assert!(error <= 1e-6 * scale + 1e-30, "{processor:?} {function:?} {gate}: {alone} {expected}");
            }
            let mut extremes = [f32::NAN, f32::MAX, f32::MIN];
            activate(processor, function, &mut extremes);
            let [none, most, least] = extremes;
            assert!(none.is_nan() && most == f32::MAX && least == 0.0, "{processor:?} {function:?}: {extremes:?}");
        }
    }
}
