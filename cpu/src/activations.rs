//! Rows of activations in the form in which they meet weights: rounded to 16 bits with a scale for each 32, or as they are. A step of the
//! rounding is a 65,534th of the largest of 32 activations, some 250 times finer than with 8 bits.

use crate::isa::{Chunk, Isa, Task};
use crate::processor::Processor;

/// Activations that share a scale.
pub const CHUNK: usize = 32;
/// What each row has for its chunks is followed by zeros, so that whole vectors can be read.
const ROOM: usize = 16;

/// What becomes of activations before they meet weights.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Hash)]
pub enum Precision {
    /// They are rounded to 16 bits, with a scale for each 32.
    #[default]
    Rounded,
    /// They stay f32.
    Exact,
}

/// 32 numbers of 16 bits, a pair in each word, the first in its low half.
#[derive(Debug, Default, Clone, Copy)]
#[repr(C, align(64))]
pub struct Rounded(pub [u32; CHUNK / 2]);

// SAFETY: 16 words are a line, so that nothing lies between them and the end.
unsafe impl bytemuck::Zeroable for Rounded {}
// SAFETY: the same, and words have no bits that mean nothing.
unsafe impl bytemuck::Pod for Rounded {}

/// Rows of x.
#[derive(Debug)]
pub struct Activations {
    rows: usize,
    chunks: usize,
    values: Values,
}

#[derive(Debug)]
enum Values {
    /// Numbers; what a 1 is worth in each chunk, and what each sums up to: `[rows, stride]`.
    Rounded(Vec<Rounded>, [Vec<f32>; 2]),
    Exact(Vec<Chunk>),
}

/// Some of these rows, to be filled.
#[derive(Debug)]
pub struct ActivationPart<'a> {
    chunks: usize,
    values: PartValues<'a>,
}

#[derive(Debug)]
enum PartValues<'a> {
    Rounded(&'a mut [Rounded], [&'a mut [f32]; 2]),
    Exact(&'a mut [Chunk]),
}

/// A row that was rounded.
#[derive(Debug, Clone, Copy)]
pub struct RoundedRow<'a> {
    /// The activations.
    pub values: &'a [Rounded],
    /// What a 1 is worth in each chunk; behind them zeros, to whole vectors.
    pub scales: &'a [f32],
    /// What each chunk sums up to; behind them zeros, to whole vectors.
    pub sums: &'a [f32],
}

impl Rounded {
    /// Activations rounded, what a 1 is worth, and what they sum up to. A chunk that holds no finite number keeps that: its scale is NaN.
    #[inline(always)]
    fn of(values: &[f32; CHUNK]) -> (Rounded, f32, f32) {
        // Adding 1.5 * 2^23 leaves the nearest whole number in the low bits.
        const WHOLE: f32 = 12_582_912.0;
        // Compared as bits, of which those of a NaN are the largest.
        let peak = f32::from_bits(values.iter().map(|value| value.abs().to_bits()).fold(0, u32::max));
        if !peak.is_finite() {
            return (Rounded([0x0001_0001; CHUNK / 2]), f32::NAN, f32::NAN);
        }
        let inverse = if peak < f32::MIN_POSITIVE * 65536.0 { 0.0 } else { 32767.0 / peak };
        let numbers = values
            .map(|value| ((value * inverse + WHOLE).to_bits() as i32).wrapping_sub(WHOLE.to_bits() as i32) as i16);
        let scale = peak / 32767.0;
        let sum: i32 = numbers.iter().map(|number| i32::from(*number)).sum();
        (Rounded(bytemuck::cast(numbers)), scale, scale * sum as f32)
    }
}

impl Activations {
    /// Room for rows of `cols` columns, a multiple of 32.
    pub fn new(precision: Precision, rows: usize, cols: usize) -> Activations {
        let chunks = cols / CHUNK;
        let of_chunks = || vec![0.0; rows * chunks.next_multiple_of(ROOM)];
        let values = match precision {
            Precision::Rounded => Values::Rounded(vec![Rounded::default(); rows * chunks], [of_chunks(), of_chunks()]),
            Precision::Exact => Values::Exact(vec![Chunk([0.0; CHUNK]); rows * chunks]),
        };
        Activations { rows, chunks, values }
    }

    /// What becomes of them.
    pub fn precision(&self) -> Precision {
        match self.values {
            Values::Rounded(..) => Precision::Rounded,
            Values::Exact(_) => Precision::Exact,
        }
    }

    /// How many rows there are.
    pub fn rows(&self) -> usize {
        self.rows
    }

    /// Columns of each.
    pub fn cols(&self) -> usize {
        self.chunks * CHUNK
    }

    /// Chunks of each.
    pub(crate) fn chunks(&self) -> usize {
        self.chunks
    }

    fn stride(&self) -> usize {
        self.chunks.next_multiple_of(ROOM)
    }

    /// All rows, so many in a part.
    pub fn parts(&mut self, rows: usize) -> Vec<ActivationPart<'_>> {
        let (chunks, stride) = (self.chunks, (rows * self.stride()).max(1));
        let of_part = (rows * chunks).max(1);
        let part = |values| ActivationPart { chunks, values };
        match &mut self.values {
            Values::Rounded(numbers, [scales, sums]) => {
                let of_chunks = scales.chunks_mut(stride).zip(sums.chunks_mut(stride));
                let values = numbers.chunks_mut(of_part).zip(of_chunks);
                values.map(|(numbers, (scales, sums))| part(PartValues::Rounded(numbers, [scales, sums]))).collect()
            }
            Values::Exact(values) => values.chunks_mut(of_part).map(|values| part(PartValues::Exact(values))).collect(),
        }
    }

    /// Row `m` of rounded ones.
    #[inline(always)]
    pub(crate) fn rounded(&self, m: usize) -> RoundedRow<'_> {
        let Values::Rounded(numbers, [scales, sums]) = &self.values else { unreachable!("these are rounded") };
        let of_chunks = m * self.stride()..(m + 1) * self.stride();
        RoundedRow {
            values: &numbers[m * self.chunks..(m + 1) * self.chunks],
            scales: &scales[of_chunks.clone()],
            sums: &sums[of_chunks],
        }
    }

    /// Row `m` of exact ones.
    #[inline(always)]
    pub(crate) fn exact(&self, m: usize) -> &[Chunk] {
        let Values::Exact(values) = &self.values else { unreachable!("these are not rounded") };
        &values[m * self.chunks..(m + 1) * self.chunks]
    }
}

impl ActivationPart<'_> {
    /// Takes `values`, as many as there is room for.
    pub fn fill(self, processor: Processor, values: &[f32]) {
        processor.run(Fill { part: self, values });
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
        let ActivationPart { chunks, values } = self.part;
        let from = self.values.as_chunks::<CHUNK>().0;
        match values {
            PartValues::Rounded(numbers, of_chunks) => {
                let stride = chunks.next_multiple_of(ROOM);
                let [scales, sums] =
                    of_chunks.map(|rows| rows.chunks_mut(stride).flat_map(move |row| &mut row[..chunks]));
                for (((numbers, scale), sum), from) in numbers.iter_mut().zip(scales).zip(sums).zip(from) {
                    (*numbers, *scale, *sum) = Rounded::of(from);
                }
            }
            PartValues::Exact(values) => {
                for (value, from) in values.iter_mut().zip(from) {
                    value.0 = *from;
                }
            }
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
            let found: Vec<f32> =
                bytemuck::cast::<_, [i16; CHUNK]>(numbers).iter().map(|number| f32::from(*number) * scale).collect();
            assert!(values.iter().zip(&found).all(|(value, found)| (value - found).abs() <= 0.51 * step));
            assert!((found.iter().sum::<f32>() - sum).abs() <= 32.0 * step);
        }
    }

    #[test]
    fn rounded_zeros_stay_zero_and_what_is_no_number_stays_none() {
        for zero in [0.0, -0.0, 1e-45, f32::MIN_POSITIVE] {
            let (Rounded(numbers), scale, _) = Rounded::of(&[zero; CHUNK]);
            assert!(
                bytemuck::cast::<_, [i16; CHUNK]>(numbers)
                    .iter()
                    .all(|number| (f32::from(*number) * scale).abs() <= 1e-37)
            );
        }
        for none in [f32::NAN, f32::INFINITY, f32::NEG_INFINITY] {
            let mut values = [1.0; CHUNK];
            values[9] = none;
            let (_, scale, sum) = Rounded::of(&values);
            assert!(scale.is_nan() && sum.is_nan());
        }
    }
}
