//! Rows of activations, in the form in which an instruction set has them meet weights: f32 as they are, or 16 bits with a scale for each 32.
//!
//! On WebAssembly one instruction multiplies and adds eight numbers of 16 bits, and there is none that does so with floats: a matmul takes
//! a quarter of the time. A step of the rounding is 1/32767 of the largest of 32 activations, some 250 times finer than 8 bits.

use crate::isa::{Chunk, Isa, Task};
use crate::processor::Processor;

/// Activations that share a scale.
pub const CHUNK: usize = 32;

/// 32 numbers of 16 bits, in pairs.
#[derive(Debug, Default, Clone, Copy)]
#[repr(align(64))]
pub struct Rounded(pub [[i16; 2]; CHUNK / 2]);

/// Rows of x, each 32 of them with their scale and their sum.
#[derive(Debug, Default)]
pub struct Activations {
    chunks: usize,
    floats: Vec<Chunk>,
    rounded: Vec<Rounded>,
    scales: Vec<f32>,
    sums: Vec<f32>,
}

/// One of these rows, of chunks of type `C`.
#[derive(Debug, Clone, Copy)]
pub struct ActivationRow<'a, C> {
    /// The activations.
    pub values: &'a [C],
    /// What a 1 is worth in each chunk; empty where they have no scales.
    pub scales: &'a [f32],
    /// What each chunk sums up to.
    pub sums: &'a [f32],
}

/// 32 activations in a form in which they meet weights.
pub trait ActivationChunk: Copy {
    /// Whether chunks have scales of their own.
    const SCALED: bool;

    /// Their form, what a 1 of it is worth, and what they sum up to in it.
    fn of(values: &[f32; CHUNK]) -> (Self, f32, f32);
    /// Where activations of this form are.
    fn all(activations: &Activations) -> &Vec<Self>;
    /// The same, to be filled.
    fn all_mut(activations: &mut Activations) -> &mut Vec<Self>;
}

impl ActivationChunk for Chunk {
    const SCALED: bool = false;

    #[inline(always)]
    fn of(values: &[f32; CHUNK]) -> (Chunk, f32, f32) {
        let mut sums = [0.0; 8];
        values.as_chunks::<8>().0.iter().for_each(|eight| (0..8).for_each(|i| sums[i] += eight[i]));
        (Chunk(*values), 1.0, sums.iter().sum())
    }

    fn all(activations: &Activations) -> &Vec<Chunk> {
        &activations.floats
    }

    fn all_mut(activations: &mut Activations) -> &mut Vec<Chunk> {
        &mut activations.floats
    }
}

impl ActivationChunk for Rounded {
    const SCALED: bool = true;

    /// A chunk that holds no finite number keeps that: its scale is NaN.
    #[inline(always)]
    fn of(values: &[f32; CHUNK]) -> (Rounded, f32, f32) {
        // Adding 1.5 * 2^23 leaves the nearest whole number in the low bits.
        const WHOLE: f32 = 12_582_912.0;
        // Compared as bits, of which those of a NaN are the largest.
        let peak = f32::from_bits(values.iter().map(|value| value.abs().to_bits()).fold(0, u32::max));
        if !peak.is_finite() {
            return (Rounded([[1; 2]; CHUNK / 2]), f32::NAN, f32::NAN);
        }
        let inverse = if peak < f32::MIN_POSITIVE * 65536.0 { 0.0 } else { 32767.0 / peak };
        let numbers = values
            .map(|value| ((value * inverse + WHOLE).to_bits() as i32).wrapping_sub(WHOLE.to_bits() as i32) as i16);
        let scale = peak / 32767.0;
        let sum: i32 = numbers.iter().map(|number| i32::from(*number)).sum();
        (Rounded(bytemuck::cast(numbers)), scale, scale * sum as f32)
    }

    fn all(activations: &Activations) -> &Vec<Rounded> {
        &activations.rounded
    }

    fn all_mut(activations: &mut Activations) -> &mut Vec<Rounded> {
        &mut activations.rounded
    }
}

impl Activations {
    /// `values`: `[rows, cols]`, with columns a multiple of 32, for `processor` to multiply.
    pub fn new(processor: Processor, values: &[f32], cols: usize) -> Activations {
        processor.run(Form { values, chunks: cols / CHUNK, is_rounded: false })
    }

    /// The same in 16 bits on every set, as panels take them.
    pub fn rounded(processor: Processor, values: &[f32], cols: usize) -> Activations {
        processor.run(Form { values, chunks: cols / CHUNK, is_rounded: true })
    }

    /// How many rows there are.
    pub fn rows(&self) -> usize {
        self.sums.len().checked_div(self.chunks).unwrap_or(0)
    }

    /// Columns of each.
    pub fn cols(&self) -> usize {
        self.chunks * CHUNK
    }

    /// Row `m`, in the form that it has.
    #[inline(always)]
    pub(crate) fn row<C: ActivationChunk>(&self, m: usize) -> ActivationRow<'_, C> {
        let chunks = m * self.chunks..(m + 1) * self.chunks;
        ActivationRow {
            values: &C::all(self)[chunks.clone()],
            scales: if C::SCALED { &self.scales[chunks.clone()] } else { &[] },
            sums: &self.sums[chunks],
        }
    }
}

struct Form<'a> {
    values: &'a [f32],
    chunks: usize,
    is_rounded: bool,
}

impl Task for Form<'_> {
    type Output = Activations;

    #[inline(always)]
    fn run<I: Isa>(self, _: I) -> Activations {
        if self.is_rounded { self.form::<Rounded>() } else { self.form::<I::Activations>() }
    }
}

impl Form<'_> {
    #[inline(always)]
    fn form<C: ActivationChunk>(self) -> Activations {
        let all = self.values.as_chunks::<CHUNK>().0;
        let mut activations = Activations { chunks: self.chunks, ..Activations::default() };
        let mut values = Vec::with_capacity(all.len());
        activations.scales.reserve_exact(if C::SCALED { all.len() } else { 0 });
        activations.sums.reserve_exact(all.len());
        for chunk in all {
            let (value, scale, sum) = C::of(chunk);
            values.push(value);
            if C::SCALED {
                activations.scales.push(scale);
            }
            activations.sums.push(sum);
        }
        *C::all_mut(&mut activations) = values;
        activations
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn rounded_activations_err_by_half_a_step() {
        let mut random = fastrand::Rng::with_seed(1);
        for size in [1e-20, 1.0, 1e6] {
            let values: [f32; CHUNK] = std::array::from_fn(|_| (random.f32() - 0.5) * size);
            let step = values.iter().fold(0.0f32, |peak, value| peak.max(value.abs())) / 32767.0;
            let (Rounded(numbers), scale, sum) = Rounded::of(&values);
            let found: Vec<f32> = numbers.as_flattened().iter().map(|number| f32::from(*number) * scale).collect();
            assert!(values.iter().zip(&found).all(|(value, found)| (value - found).abs() <= 0.51 * step));
            assert!((found.iter().sum::<f32>() - sum).abs() <= 32.0 * step);
        }
    }

    #[test]
    fn rounded_zeros_stay_zero_and_what_is_no_number_stays_none() {
        for zero in [0.0, -0.0, 1e-45, f32::MIN_POSITIVE] {
            let (Rounded(numbers), scale, _) = Rounded::of(&[zero; CHUNK]);
            assert!(numbers.as_flattened().iter().all(|number| (f32::from(*number) * scale).abs() <= 1e-37));
        }
        for none in [f32::NAN, f32::INFINITY, f32::NEG_INFINITY] {
            let mut values = [1.0; CHUNK];
            values[9] = none;
            let (_, scale, sum) = Rounded::of(&values);
            assert!(scale.is_nan() && sum.is_nan());
        }
    }
}
