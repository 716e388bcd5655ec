//! Rows of activations, rounded to 16 bits with a scale for each 32, in the form in which an instruction set has them meet weights: as these
//! numbers, or as the floats that they stand for. A step of the rounding is a 65,534th of the largest of 32 activations, some 250 times
//! finer than with 8 bits.

use crate::isa::{Chunk, Isa, Task};
use crate::processor::Processor;

/// Activations that share a scale.
pub const CHUNK: usize = 32;

/// 32 numbers of 16 bits, in pairs.
#[derive(Debug, Default, Clone, Copy)]
#[repr(align(64))]
pub struct Rounded(pub [[i16; 2]; CHUNK / 2]);

/// Rows of x, each 32 of them with their scale and their sum.
#[derive(Debug)]
pub struct Activations {
    chunks: usize,
    values: Values,
    /// Empty where they have no scales.
    scales: Vec<f32>,
    sums: Vec<f32>,
}

#[derive(Debug)]
enum Values {
    Floats(Vec<Chunk>),
    Rounded(Vec<Rounded>),
}

/// Some of these rows, to be filled.
#[derive(Debug)]
pub struct ActivationPart<'a> {
    values: PartValues<'a>,
    scales: &'a mut [f32],
    sums: &'a mut [f32],
}

#[derive(Debug)]
enum PartValues<'a> {
    Floats(&'a mut [Chunk]),
    Rounded(&'a mut [Rounded]),
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
    /// Those of `activations`, which are of this form.
    fn all(activations: &Activations) -> &[Self];
}

impl ActivationChunk for Chunk {
    const SCALED: bool = false;

    /// Rounded, too, so that a token has the same activations however many are computed with it.
    #[inline(always)]
    fn of(values: &[f32; CHUNK]) -> (Chunk, f32, f32) {
        let (Rounded(numbers), scale, sum) = Rounded::of(values);
        let mut floats = [0.0; CHUNK];
        for (float, number) in floats.iter_mut().zip(numbers.as_flattened()) {
            *float = f32::from(*number) * scale;
        }
        (Chunk(floats), 1.0, sum)
    }

    fn all(activations: &Activations) -> &[Chunk] {
        match &activations.values {
            Values::Floats(chunks) => chunks,
            Values::Rounded(_) => unreachable!("activations are made for those that read them"),
        }
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

    fn all(activations: &Activations) -> &[Rounded] {
        match &activations.values {
            Values::Rounded(chunks) => chunks,
            Values::Floats(_) => unreachable!("activations are made for those that read them"),
        }
    }
}

impl Activations {
    /// Room for rows of `cols` columns, a multiple of 32, in the form in which `processor` has them meet one weight row after the other.
    pub fn new(processor: Processor, rows: usize, cols: usize) -> Activations {
        if processor.run(IsRounding) { Activations::rounded(rows, cols) } else { Activations::floats(rows, cols) }
    }

    /// The same in 16 bits, as panels take them.
    pub fn rounded(rows: usize, cols: usize) -> Activations {
        let (chunks, all) = (cols / CHUNK, cols / CHUNK * rows);
        let values = Values::Rounded(vec![Rounded::default(); all]);
        Activations { chunks, values, scales: vec![0.0; all], sums: vec![0.0; all] }
    }

    fn floats(rows: usize, cols: usize) -> Activations {
        let (chunks, all) = (cols / CHUNK, cols / CHUNK * rows);
        let values = Values::Floats(vec![Chunk([0.0; CHUNK]); all]);
        Activations { chunks, values, scales: Vec::new(), sums: vec![0.0; all] }
    }

    /// How many rows there are.
    pub fn rows(&self) -> usize {
        self.sums.len().checked_div(self.chunks).unwrap_or(0)
    }

    /// Columns of each.
    pub fn cols(&self) -> usize {
        self.chunks * CHUNK
    }

    /// All rows, so many in a part.
    pub fn parts(&mut self, rows: usize) -> Vec<ActivationPart<'_>> {
        let chunks = (rows * self.chunks).max(1);
        let mut scales = self.scales.chunks_mut(chunks);
        let mut next = || scales.next().unwrap_or_default();
        let sums = self.sums.chunks_mut(chunks);
        match &mut self.values {
            Values::Floats(all) => {
                let values = all.chunks_mut(chunks).map(PartValues::Floats);
                values.zip(sums).map(|(values, sums)| ActivationPart { values, scales: next(), sums }).collect()
            }
            Values::Rounded(all) => {
                let values = all.chunks_mut(chunks).map(PartValues::Rounded);
                values.zip(sums).map(|(values, sums)| ActivationPart { values, scales: next(), sums }).collect()
            }
        }
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

impl ActivationPart<'_> {
    /// Takes `values`, as many as there is room for.
    pub fn fill(self, processor: Processor, values: &[f32]) {
        processor.run(Fill { part: self, values });
    }
}

/// Whether a set has rounded activations meet weight rows.
struct IsRounding;

impl Task for IsRounding {
    type Output = bool;

    #[inline(always)]
    fn run<I: Isa>(self, _: I) -> bool {
        I::Activations::SCALED
    }
}

struct Fill<'p, 'v> {
    part: ActivationPart<'p>,
    values: &'v [f32],
}

impl Task for Fill<'_, '_> {
    type Output = ();

    #[inline(always)]
    fn run<I: Isa>(self, _: I) {
        let ActivationPart { values, scales, sums } = self.part;
        match values {
            PartValues::Floats(chunks) => fill(chunks, scales, sums, self.values),
            PartValues::Rounded(chunks) => fill(chunks, scales, sums, self.values),
        }
    }
}

#[inline(always)]
fn fill<C: ActivationChunk>(chunks: &mut [C], scales: &mut [f32], sums: &mut [f32], values: &[f32]) {
    let mut scales = scales.iter_mut();
    for ((chunk, sum), values) in chunks.iter_mut().zip(sums).zip(values.as_chunks::<CHUNK>().0) {
        let scale;
        (*chunk, scale, *sum) = C::of(values);
        if let Some(to) = scales.next() {
            *to = scale;
        }
    }
}

#[cfg(test)]
impl Activations {
    /// With these rows.
    pub fn of(mut self, processor: Processor, values: &[f32]) -> Activations {
        let rows = self.rows();
        self.parts(rows).into_iter().for_each(|part| part.fill(processor, values));
        self
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
