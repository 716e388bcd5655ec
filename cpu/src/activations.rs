//! Rows of activations in the form in which they meet weights: rounded to 16 bits with a scale for each 32, or as they are. A step of the
//! rounding is a 32,639th of the largest of 32 activations, some 250 times finer than with 8 bits.

use crate::isa::{Chunk, Isa, Task};
use crate::numbers::{by_fours, with_numbers};
use crate::processor::Processor;
use inglenook_format::quant::WeightType;

/// Activations that share a scale.
pub const CHUNK: usize = 32;
/// Rows of x that meet panels at once.
pub const TILE: usize = 8;
/// So many are enough for weights to be unpacked for tiles.
pub const MANY: usize = 2 * TILE;

/// What becomes of activations before they meet weights.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, PartialOrd, Ord)]
pub enum Precision {
    /// They are rounded to 16 bits, with a scale for each 32.
    #[default]
    Rounded,
    /// They stay f32.
    Exact,
}

/// The form in which activations meet weights.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Form {
    /// Rounded, as numbers of 16 bits.
    Pairs,
    /// The same numbers, each as two signed bytes: `256 * high + low`.
    Bytes,
    /// As they are.
    Floats,
}

impl Form {
    /// That in which so many rows meet weights of this type, where they are to have this precision: they stay exact for weights that are
    /// floats.
    pub fn of(processor: Processor, precision: Precision, ty: WeightType, rows: usize) -> Form {
        match (precision, ty.block_len()) {
            (Precision::Exact, _) | (_, 1) => Form::Floats,
            _ => processor.run(RoundedForm { ty, rows }),
        }
    }
}

struct RoundedForm {
    ty: WeightType,
    rows: usize,
}

impl Task for RoundedForm {
    type Output = Form;

    #[inline(always)]
    fn run<I: Isa>(self, isa: I) -> Form {
        with_numbers!(self.ty, N => if by_fours::<I, N>(isa, self.rows) { Form::Bytes } else { Form::Pairs })
    }
}

/// The largest number that activations are rounded to: what two signed bytes can hold.
pub(crate) const MOST: i32 = 127 * 256 + 127;

/// 32 numbers of 16 bits: a pair in each word, the first in its low half; or their high bytes, then their low ones.
#[derive(Debug, Default, Clone, Copy)]
#[repr(C, align(64))]
pub struct Rounded(pub [u32; CHUNK / 2]);

// SAFETY: 16 words are a line, so that nothing lies between them and the end.
unsafe impl bytemuck::Zeroable for Rounded {}
// SAFETY: the same, and words have no bits that mean nothing.
unsafe impl bytemuck::Pod for Rounded {}

/// What there is to know of 32 numbers.
#[derive(Debug, Default, Clone, Copy)]
pub struct ChunkScale {
    /// What a 1 is worth.
    pub scale: f32,
    /// What the activations sum up to.
    pub sum: f32,
    /// What the numbers of each half sum up to.
    pub totals: [i32; 2],
}

/// Rows of x.
#[derive(Debug)]
pub struct Activations {
    rows: usize,
    chunks: usize,
    values: Values,
}

#[derive(Debug)]
enum Values {
    /// `[tiles, chunks, rows of the tile]`.
    Rounded(Form, Vec<Rounded>, Vec<ChunkScale>),
    /// `[rows, chunks]`.
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
    Rounded(Form, &'a mut [Rounded], &'a mut [ChunkScale]),
    Exact(&'a mut [Chunk]),
}

/// Up to [`TILE`] rows that were rounded, `[chunks, rows]`.
#[derive(Debug, Clone, Copy)]
pub struct Tile<'a> {
    /// How many rows there are.
    pub rows: usize,
    /// The activations.
    pub values: &'a [Rounded],
    /// What there is to know of each chunk.
    pub scales: &'a [ChunkScale],
}

impl Rounded {
    /// Activations rounded. A chunk that holds no finite number keeps that: its scale is NaN.
    #[inline(always)]
    fn of(values: &[f32; CHUNK]) -> (Rounded, ChunkScale) {
        // Adding 1.5 * 2^23 leaves the nearest whole number in the low bits.
        const WHOLE: f32 = 12_582_912.0;
        // Compared as bits, of which those of a NaN are the largest.
        let peak = f32::from_bits(values.iter().map(|value| value.abs().to_bits()).fold(0, u32::max));
        if !peak.is_finite() {
            return (Rounded([0x0001_0001; CHUNK / 2]), ChunkScale { scale: f32::NAN, sum: f32::NAN, totals: [0; 2] });
        }
        let inverse = if peak < f32::MIN_POSITIVE * 65536.0 { 0.0 } else { MOST as f32 / peak };
        // Loops, since what `map` calls is not compiled for the processor.
        let mut numbers = [0i16; CHUNK];
        for i in 0..CHUNK {
            let whole = (values[i] * inverse + WHOLE).to_bits() as i32;
            numbers[i] = whole.wrapping_sub(WHOLE.to_bits() as i32) as i16;
        }
        let scale = peak / MOST as f32;
        let mut totals = [0i32; 2];
        for i in 0..CHUNK {
            totals[i / (CHUNK / 2)] += i32::from(numbers[i]);
        }
        let sum = scale * (totals[0] + totals[1]) as f32;
        (Rounded(bytemuck::cast(numbers)), ChunkScale { scale, sum, totals })
    }

    /// The same as two bytes each, as [`Numbers::fours`] has weights.
    ///
    /// [`Numbers::fours`]: crate::numbers::Numbers::fours
    #[inline(always)]
    fn in_bytes(self) -> Rounded {
        let numbers: [i16; CHUNK] = bytemuck::cast(self.0);
        let mut to = [0i8; 2 * CHUNK];
        for i in 0..CHUNK {
            to[i] = ((i32::from(numbers[i]) + 128) >> 8) as i8;
        }
        for i in 0..CHUNK {
            to[CHUNK + i] = numbers[i] as i8;
        }
        Rounded(bytemuck::cast(to))
    }

    /// The same with even numbers first: pairs as [`Numbers::pairs`] has them.
    ///
    /// [`Numbers::pairs`]: crate::numbers::Numbers::pairs
    #[inline(always)]
    fn in_pairs(self) -> Rounded {
        let numbers: [i16; CHUNK] = bytemuck::cast(self.0);
        let mut to = [0; CHUNK];
        // One loop each, for compilers to make shuffles of them.
        for i in 0..CHUNK / 2 {
            to[i] = numbers[2 * i];
        }
        for i in 0..CHUNK / 2 {
            to[CHUNK / 2 + i] = numbers[2 * i + 1];
        }
        Rounded(bytemuck::cast(to))
    }
}

impl Activations {
    /// Room for rows of `cols` columns, a multiple of 32.
    pub fn new(form: Form, rows: usize, cols: usize) -> Activations {
        let chunks = cols / CHUNK;
        let all = rows * chunks;
        let values = match form {
            Form::Floats => Values::Exact(vec![Chunk([0.0; CHUNK]); all]),
            _ => Values::Rounded(form, vec![Rounded::default(); all], vec![ChunkScale::default(); all]),
        };
        Activations { rows, chunks, values }
    }

    /// What they are.
    pub(crate) fn form(&self) -> Form {
        match self.values {
            Values::Rounded(form, ..) => form,
            Values::Exact(_) => Form::Floats,
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

    /// All rows, so many in a part: all, or a multiple of [`TILE`].
    pub fn parts(&mut self, rows: usize) -> Vec<ActivationPart<'_>> {
        let chunks = self.chunks;
        let of_part = (rows * chunks).max(1);
        let part = |values| ActivationPart { chunks, values };
        match &mut self.values {
            Values::Rounded(form, numbers, scales) => {
                let parts = numbers.chunks_mut(of_part).zip(scales.chunks_mut(of_part));
                parts.map(|(numbers, scales)| part(PartValues::Rounded(*form, numbers, scales))).collect()
            }
            Values::Exact(values) => values.chunks_mut(of_part).map(|values| part(PartValues::Exact(values))).collect(),
        }
    }

    /// The rounded rows from `m` on, a multiple of [`TILE`].
    #[inline(always)]
    pub(crate) fn tile(&self, m: usize) -> Tile<'_> {
        let Values::Rounded(_, numbers, scales) = &self.values else { unreachable!("these are rounded") };
        let rows = TILE.min(self.rows - m);
        let of_tile = m * self.chunks..(m + rows) * self.chunks;
        Tile { rows, values: &numbers[of_tile.clone()], scales: &scales[of_tile] }
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
            PartValues::Rounded(form, numbers, scales) => {
                let of_tile = TILE * chunks;
                let tiles = numbers.chunks_mut(of_tile).zip(scales.chunks_mut(of_tile)).zip(from.chunks(of_tile));
                for ((numbers, scales), from) in tiles {
                    let rows = from.len() / chunks;
                    for (i, from) in from.iter().enumerate() {
                        let to = i % chunks * rows + i / chunks;
                        let (rounded, scale) = Rounded::of(from);
                        numbers[to] = if form == Form::Bytes { rounded.in_bytes() } else { rounded.in_pairs() };
                        scales[to] = scale;
                    }
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
            let step = values.iter().fold(0.0f32, |peak, value| peak.max(value.abs())) / MOST as f32;
            let (Rounded(numbers), ChunkScale { scale, totals, .. }) = Rounded::of(&values);
            let found: Vec<f32> =
                bytemuck::cast::<_, [i16; CHUNK]>(numbers).iter().map(|number| f32::from(*number) * scale).collect();
            assert!(values.iter().zip(&found).all(|(value, found)| (value - found).abs() <= 0.51 * step));
            for (found, total) in found.chunks(16).zip(totals) {
                assert!((found.iter().sum::<f32>() - total as f32 * scale).abs() <= 16.0 * step);
            }
        }
    }

    #[test]
    fn rounded_zeros_stay_zero_and_what_is_no_number_stays_none() {
        for zero in [0.0, -0.0, 1e-45, f32::MIN_POSITIVE] {
            let (Rounded(numbers), ChunkScale { scale, .. }) = Rounded::of(&[zero; CHUNK]);
            assert!(
                bytemuck::cast::<_, [i16; CHUNK]>(numbers)
                    .iter()
                    .all(|number| (f32::from(*number) * scale).abs() <= 1e-37)
            );
        }
        for none in [f32::NAN, f32::INFINITY, f32::NEG_INFINITY] {
            let mut values = [1.0; CHUNK];
            values[9] = none;
            let (_, ChunkScale { scale, sum, .. }) = Rounded::of(&values);
            assert!(scale.is_nan() && sum.is_nan());
        }
    }
}
