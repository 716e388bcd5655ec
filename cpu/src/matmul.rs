//! Products of quantised weight rows with rows of activations.
//!
//! A weight is `number * scale + minimum` (`numbers`, `scales`). Numbers are unpacked in registers, 32 at a time, and meet up to eight rows
//! of x; what comes of each 32 is scaled once, and the minima meet the sums of x. Nothing is written but the products: an unpacked row in
//! memory costs eight rows of x half of their time. Each product is summed in the same order, so that it has the same bits whatever is
//! computed beside it.

use inglenook_format::quant::{Plane, PlanesRef, WeightType};

use crate::activations::{ActivationChunk, ActivationRow, Activations, CHUNK};
use crate::isa::{Isa, Task};
use crate::numbers::{Numbers, RowBytes, with_numbers};
use crate::processor::Processor;
use crate::scales::{Minima, RowScales};

/// Rows of a weight matrix in planes.
#[derive(Debug, Clone, Copy)]
pub struct Weights<'a> {
    /// How they are packed: a type with blocks.
    pub ty: WeightType,
    /// Columns, a multiple of a block's.
    pub cols: usize,
    /// Their memory.
    pub planes: PlanesRef<'a>,
}

impl<'a> Weights<'a> {
    /// Row `n`, its scales read into `scales`.
    #[inline(always)]
    pub(crate) fn row<I: Isa>(&self, isa: I, n: usize, scales: &mut RowScales) -> RowBytes<'a> {
        let Weights { ty, cols, planes } = *self;
        let blocks = cols / ty.block_len();
        let bytes = |plane, words: &'a [u32]| {
            let stride = ty.plane_bytes(plane, 2) / 2 * blocks;
            (&bytemuck::cast_slice::<u32, u8>(words)[n * stride..], stride)
        };
        let row = |plane, words| {
            let (bytes, stride) = bytes(plane, words);
            &bytes[..stride]
        };
        let (from, stride) = bytes(Plane::Scales, planes.scales);
        scales.read(isa, ty, from, stride);
        RowBytes { quants: row(Plane::Quants, planes.quants), high_bits: row(Plane::HighBits, planes.high_bits) }
    }
}

/// `sums[m, n - first] = weights[n] · x[m]` for the weight rows from `first` on; `sums`: `[x.rows(), rows]`.
///
/// # Panics
/// Where planes end before these rows do, x has other columns, or the type has no blocks.
pub fn dot_products(processor: Processor, weights: Weights<'_>, first: usize, x: &Activations, sums: &mut [f32]) {
    assert_eq!(weights.cols, x.cols(), "weights and activations have the same columns");
    with_numbers!(weights.ty, N => processor.run(Rows::<N>::new(weights, first, x, sums)));
}

struct Rows<'a, N> {
    weights: Weights<'a>,
    first: usize,
    x: &'a Activations,
    sums: &'a mut [f32],
    numbers: std::marker::PhantomData<N>,
}

impl<'a, N> Rows<'a, N> {
    fn new(weights: Weights<'a>, first: usize, x: &'a Activations, sums: &'a mut [f32]) -> Self {
        Rows { weights, first, x, sums, numbers: std::marker::PhantomData }
    }
}

impl<N: Numbers> Task for Rows<'_, N> {
    type Output = ();

    #[inline(always)]
    fn run<I: Isa>(self, isa: I) {
        let Rows { weights, first, x, sums, .. } = self;
        let (m_count, mut m) = (x.rows(), 0);
        // Tiles of x stay in the cache while all weight rows pass.
        while m < m_count {
            let tile = Tile { weights, first, x, m };
            m += match m_count - m {
                8.. => tile.meet::<I, N, 8>(isa, sums),
                4.. => tile.meet::<I, N, 4>(isa, sums),
                2.. => tile.meet::<I, N, 2>(isa, sums),
                _ => tile.meet::<I, N, 1>(isa, sums),
            };
        }
    }
}

/// Some rows of x, from `m` on, and the weight rows that they meet.
struct Tile<'a> {
    weights: Weights<'a>,
    first: usize,
    x: &'a Activations,
    m: usize,
}

impl Tile<'_> {
    /// The products of `M` rows of x with as many weight rows as `sums` has room for; gives `M`. One weight row after the other: several
    /// at a time are a tenth faster from the cache, and up to a half slower from memory, whose reading ahead they confuse.
    #[inline(always)]
    fn meet<I: Isa, N: Numbers, const M: usize>(self, isa: I, sums: &mut [f32]) -> usize {
        let Tile { weights, first, x, m } = self;
        let count = sums.len() / x.rows();
        let mut scales = RowScales::new(weights.ty, weights.cols / CHUNK);
        let rows: [ActivationRow<'_, I::Activations>; M] = std::array::from_fn(|i| x.row(m + i));
        for n in 0..count {
            let row = weights.row(isa, first + n, &mut scales);
            let products = products::<I, N, M>(isa, row, &scales, rows);
            (0..M).for_each(|i| sums[(m + i) * count + n] = products[i]);
        }
        M
    }
}

/// The products of a weight row with `M` rows of x.
#[inline(always)]
fn products<I: Isa, N: Numbers, const M: usize>(
    isa: I,
    row: RowBytes<'_>,
    RowScales { scales, minima }: &RowScales,
    x: [ActivationRow<'_, I::Activations>; M],
) -> [f32; M] {
    let chunks = x[0].values.len();
    let values = x.map(|x| &x.values[..chunks]);
    let x_scales = x.map(|x| if I::Activations::SCALED { &x.scales[..chunks] } else { x.scales });
    let scales = &scales[..chunks * N::SCALES];
    let mut sums = [isa.zero(); M];
    for c in 0..chunks {
        let bytes = N::chunk(isa, row, c);
        let numbers = if N::SIGNED { isa.signed_numbers(bytes) } else { isa.unsigned_numbers(bytes) };
        for i in 0..M {
            let scaled = |scale: f32| if I::Activations::SCALED { scale * x_scales[i][c] } else { scale };
            sums[i] = match N::SCALES {
                1 => isa.add_scaled(sums[i], numbers, &values[i][c], scaled(scales[c])),
                _ => {
                    let both = [scaled(scales[2 * c]), scaled(scales[2 * c + 1])];
                    isa.add_scaled_halves(sums[i], numbers, &values[i][c], both)
                }
            };
        }
    }
    // No `from_fn`: what it calls is not compiled for the set.
    let mut products = [0.0; M];
    for i in 0..M {
        products[i] = isa.total(sums[i]) + of_minima(scales, minima, x[i].sums);
    }
    products
}

/// What the minima of a row come to.
#[inline(always)]
fn of_minima(scales: &[f32], minima: &Minima, x_sums: &[f32]) -> f32 {
    match minima {
        Minima::None => 0.0,
        Minima::OfScale(times) => times * dot(scales, x_sums),
        Minima::Own(minima) => dot(minima, x_sums),
    }
}

/// The product of two vectors, which is as long as the second.
#[inline(always)]
fn dot(a: &[f32], b: &[f32]) -> f32 {
    let mut sums = [0.0; 8];
    let ((a, few_a), (b, few_b)) = (a[..b.len()].as_chunks::<8>(), b.as_chunks::<8>());
    for (a, b) in a.iter().zip(b) {
        (0..8).for_each(|i| sums[i] += a[i] * b[i]);
    }
    sums.iter().sum::<f32>() + few_a.iter().zip(few_b).map(|(a, b)| a * b).sum::<f32>()
}

#[cfg(test)]
pub(crate) mod tests {
    use super::*;
    use crate::isa::Chunk;
    use inglenook_format::quant::{Planes, dequantise, random_blocks, repack};

    pub fn types() -> impl Iterator<Item = WeightType> {
        WeightType::ALL.into_iter().filter(|ty| ty.block_len() > 1)
    }

    pub struct Case {
        ty: WeightType,
        cols: usize,
        planes: Planes,
        /// `[rows, cols]`
        values: Vec<f32>,
        /// `[m_count, cols]`
        x: Vec<f32>,
    }

    impl Case {
        pub fn new(ty: WeightType, rows: usize, cols: usize, m_count: usize) -> Case {
            let raw = random_blocks(ty, 7, rows * cols / ty.block_len(), 0.5);
            let (mut planes, mut values) = (Planes::default(), vec![0.0; rows * cols]);
            repack(ty, &raw, 0, &mut planes).expect("whole blocks");
            dequantise(ty, &raw, &mut values).expect("room for all");
            let mut random = fastrand::Rng::with_seed(3);
            let x: Vec<f32> = (0..m_count * cols).map(|_| random.f32() * 2.0 - 1.0).collect();
            // Numbers that rounding leaves as they are, so that nothing but the products can differ.
            let x = x.as_chunks().0.iter().flat_map(|chunk| Chunk::of(chunk).0.0).collect();
            Case { ty, cols, planes, values, x }
        }

        /// The rows of x.
        pub fn rows_of_x(&self) -> impl Iterator<Item = &[f32]> {
            self.x.chunks(self.cols)
        }

        /// All of x.
        pub fn x(&self) -> (&[f32], usize) {
            (&self.x, self.cols)
        }

        pub fn weights(&self) -> Weights<'_> {
            Weights { ty: self.ty, cols: self.cols, planes: self.planes.as_ref() }
        }

        fn products(&self, processor: Processor, first: usize, rows: usize, x: &[f32]) -> Vec<f32> {
            let x = Activations::new(processor, x.len() / self.cols, self.cols).of(processor, x);
            let mut sums = vec![f32::NAN; rows * x.rows()];
            dot_products(processor, self.weights(), first, &x, &mut sums);
            sums
        }

        /// Holds products, `[m_count, rows]`, to those in f64.
        pub fn check(&self, found: &[f32], processor: Processor) {
            let expected = self.expected();
            let size = (expected.iter().map(|v| v * v).sum::<f64>() / expected.len() as f64).sqrt();
            assert_eq!(found.len(), expected.len());
            for (found, expected) in found.iter().zip(&expected) {
                let error = (f64::from(*found) - expected).abs() / size;
                assert!(error < 2e-6, "{} {} {processor:?}: {found} {expected}", self.ty, self.rows_of_x().count());
            }
        }

        /// In f64, `[m_count, rows]`.
        fn expected(&self) -> Vec<f64> {
            let dot =
                |weights: &[f32], x: &[f32]| weights.iter().zip(x).map(|(w, x)| f64::from(*w) * f64::from(*x)).sum();
            let rows = || self.values.chunks(self.cols);
            self.x.chunks(self.cols).flat_map(|x| rows().map(move |weights| dot(weights, x))).collect()
        }
    }

    #[test]
    fn products_equal_those_of_dequantised_weights_on_every_instruction_set() {
        for ty in types() {
            // Odd numbers of blocks where the type has small ones; rows of x that fill no tile, one, and more than one.
            let cols = if ty.block_len() == 32 { 224 } else { 768 };
            for m_count in [1, 2, 4, 7] {
                let case = Case::new(ty, 5, cols, m_count);
                for processor in Processor::all() {
                    case.check(&case.products(processor, 0, 5, &case.x), processor);
                }
            }
        }
    }

    #[test]
    fn products_do_not_depend_on_companions() {
        for ty in types() {
            let case = Case::new(ty, 5, 768, 9);
            for processor in Processor::all() {
                let together = case.products(processor, 0, 5, &case.x);
                for (m, x) in case.x.chunks(case.cols).enumerate() {
                    let alone = case.products(processor, 2, 3, x);
                    let bits = |values: &[f32]| values.iter().map(|v| v.to_bits()).collect::<Vec<_>>();
                    assert_eq!(bits(&alone), bits(&together[5 * m + 2..][..3]), "{ty} row {m} {processor:?}");
                }
            }
        }
    }

    #[test]
    fn least_number_of_signed_bytes_keeps_its_value() {
        let cols = 64;
        let block: Vec<u8> = [0x00, 0x3c].into_iter().chain([0x80; 32]).collect();
        let mut planes = Planes::default();
        repack(WeightType::Q8_0, &block.repeat(2), 0, &mut planes).expect("whole blocks");
        let weights = Weights { ty: WeightType::Q8_0, cols, planes: planes.as_ref() };
        for processor in Processor::all() {
            for sign in [1.0, -1.0] {
                let mut sums = [0.0];
                dot_products(
                    processor,
                    weights,
                    0,
                    &Activations::new(processor, 1, cols).of(processor, &[sign; 64]),
                    &mut sums,
                );
                assert!((sums[0] + sign * 128.0 * 64.0).abs() < 0.01, "{processor:?} {sums:?}");
            }
        }
    }

    #[test]
    fn activations_that_are_no_numbers_give_none() {
        let case = Case::new(WeightType::Q4_0, 2, 64, 1);
        let mut x = case.x.clone();
        x[33] = f32::NAN;
        for processor in Processor::all() {
            assert!(case.products(processor, 0, 2, &x).iter().all(|sum| sum.is_nan()), "{processor:?}");
        }
    }
}
