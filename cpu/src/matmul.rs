//! Products of weight rows with rows of activations.
//!
//! A quantised weight is `number * scale + minimum` (`numbers`, `scales`). Activations are rounded, so that the products of 32 numbers sum up
//! to whole numbers, which are exact; each such sum is scaled and gets its minimum, and is added to one of four sums, in turn; these make the
//! product (`panels`). Weights that are floats, and all where activations stay f32, are multiplied as floats (`exact`, `tiles`). Whatever is
//! computed beside a product, its bits are the same.

use std::marker::PhantomData;
use std::ops::Range;

use inglenook_format::quant::{E2M1, GROUP, Layout, Plane, PlanesRef, UNEVEN, WeightType};

use crate::activations::{Activations, Form, Precision, TILE};
use crate::exact::{Exact, FEW};
use crate::floats::with_floats;
use crate::numbers::{Numbers, RowWords, with_numbers};
use crate::panels::Panels;
use crate::processor::Processor;
use crate::tiles::tiled;

/// Rows of a weight matrix in planes, which lie as [`Layout::for_cpu`] says.
#[derive(Debug, Clone, Copy)]
pub struct Weights<'a> {
    /// How they are packed.
    pub ty: WeightType,
    /// Columns, a multiple of 32 and of a block's.
    pub cols: usize,
    /// Their memory.
    pub planes: PlanesRef<'a>,
}

impl<'a> Weights<'a> {
    /// The words of some rows in the planes of numbers and of their high bits; of whole groups, where rows lie side by side.
    pub(crate) fn words(&self, rows: Range<usize>) -> [&'a [u32]; 2] {
        let PlanesRef { quants, high_bits, .. } = self.planes;
        let words = |plane, words: &'a [u32]| &words[self.words_of(plane, rows.start)..self.words_of(plane, rows.end)];
        [words(Plane::Quants, quants), words(Plane::HighBits, high_bits)]
    }

    /// The words of rows that lie side by side, of row `n` and those behind it in its group; `None` where there is no such row.
    pub(crate) fn lanes(&self, n: usize) -> Option<RowWords<'a>> {
        let PlanesRef { quants, high_bits, .. } = self.planes;
        let words = |plane, words: &'a [u32]| {
            let group = words.get(self.words_of(plane, n / GROUP * GROUP)..)?.get(..self.words_of(plane, GROUP))?;
            Some(group.get(n % GROUP..).unwrap_or_default())
        };
        let (quants, high_bits) = (words(Plane::Quants, quants)?, words(Plane::HighBits, high_bits)?);
        Some(RowWords { quants, high_bits: self.of_numbers(high_bits), values: self.values() })
    }

    /// The words of the group that row `first` begins.
    pub(crate) fn group(&self, first: usize) -> PlanesRef<'a> {
        let words = |plane, words: &'a [u32]| &words[self.words_of(plane, first)..][..self.words_of(plane, GROUP)];
        let PlanesRef { quants, high_bits, scales } = self.planes;
        PlanesRef {
            quants: words(Plane::Quants, quants),
            high_bits: words(Plane::HighBits, high_bits),
            scales: words(Plane::Scales, scales),
        }
    }

    /// The plane of high bits, where it has bits of numbers.
    pub(crate) fn of_numbers<'w>(&self, high_bits: &'w [u32]) -> &'w [u32] {
        if self.ty == WeightType::Q2_K { &[] } else { high_bits }
    }

    /// What numbers stand for, where they stand for values.
    pub(crate) fn values(&self) -> [i8; 16] {
        match self.ty {
            WeightType::IQ4_NL | WeightType::IQ4_XS => UNEVEN,
            WeightType::MXFP4 => E2M1,
            _ => [0; 16],
        }
    }

    /// Words of so many rows: of whole groups, where rows lie side by side.
    fn words_of(&self, plane: Plane, rows: usize) -> usize {
        self.ty.plane_bytes(plane, rows * (self.cols / self.ty.block_len())) / 4
    }
}

/// What a product is computed from: the weight rows from `first` on, rows of x, and where the products go: `[x.rows(), rows]`.
pub(crate) struct Operands<'a, N> {
    pub weights: Weights<'a>,
    pub first: usize,
    pub x: &'a Activations,
    pub sums: &'a mut [f32],
    /// How the weights are packed.
    pub packing: PhantomData<N>,
}

impl<N> Operands<'_, N> {
    /// How many weight rows there are.
    pub fn rows(&self) -> usize {
        self.sums.len().checked_div(self.x.rows()).unwrap_or(0)
    }
}

/// Where the products of some weight rows belong: `count` columns of `sums`, which is `[x.rows(), rows]`.
pub(crate) struct Column<'a> {
    pub sums: &'a mut [f32],
    pub rows: usize,
    pub from: usize,
    pub count: usize,
}

/// `sums[m, n - first] = weights[n] · x[m]` for the weight rows from `first` on; `sums`: `[x.rows(), rows]`.
///
/// # Panics
/// Where planes end before these rows do, x has other columns, or another precision than these weights have, or the first of rows that lie
/// side by side does not begin a group.
pub fn products(processor: Processor, weights: Weights<'_>, first: usize, x: &Activations, sums: &mut [f32]) {
    assert_eq!(weights.cols, x.cols(), "weights and activations have the same columns");
    let begins_group = Layout::for_cpu(weights.ty) == Layout::Rows || first.is_multiple_of(GROUP);
    assert!(begins_group, "rows that lie side by side are multiplied from a group's first on");
    match x.form() {
        Form::Floats => with_floats!(weights.ty, F => {
            let operands = Operands::<F> { weights, first, x, sums, packing: PhantomData };
            if x.rows() <= FEW { processor.run(Exact(operands)) } else { tiled(processor, operands) }
        }),
        form => with_numbers!(weights.ty, N => {
            let expected = Form::of(processor, Precision::Rounded, weights.ty, x.rows());
            assert_eq!(form, expected, "activations have the form in which they meet these weights");
            let operands = Operands::<N> { weights, first, x, sums, packing: PhantomData };
            match (x.rows(), N::FEW) {
                (1, 1..) => processor.run(Panels::<N, 1>(operands)),
                (2, 2..) => processor.run(Panels::<N, 2>(operands)),
                _ => processor.run(Panels::<N, TILE>(operands)),
            }
        }),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::activations::{CHUNK, MOST};
    use inglenook_format::quant::{Planes, dequantise, laid_out_for_cpu, random_blocks, repack};

    type Method = (Processor, Precision);

    fn ways(ty: WeightType) -> impl Iterator<Item = Method> {
        let precisions: &[Precision] =
            if ty.block_len() == 1 { &[Precision::Exact] } else { &[Precision::Rounded, Precision::Exact] };
        Processor::all()
            .into_iter()
            .flat_map(|processor| precisions.iter().map(move |precision| (processor, *precision)))
    }

    fn bits(values: &[f32]) -> Vec<u32> {
        values.iter().map(|value| value.to_bits()).collect()
    }

    /// The multiples of a step of rounding that are nearest to values.
    fn steps(values: &[f32; CHUNK]) -> [f32; CHUNK] {
        let step = values.iter().fold(0.0f32, |peak, value| peak.max(value.abs())) / MOST as f32;
        values.map(|value| (value / step).round() * step)
    }

    /// Rows as a CPU reads them.
    fn planes(ty: WeightType, cols: usize, raw: &[u8]) -> Planes {
        let mut rows = Planes::default();
        repack(ty, raw, 0, &mut rows).expect("whole blocks");
        laid_out_for_cpu(ty, cols / ty.block_len(), rows)
    }

    struct Case {
        ty: WeightType,
        cols: usize,
        planes: Planes,
        /// `[rows, cols]`
        values: Vec<f32>,
        /// `[m_count, cols]`
        x: Vec<f32>,
    }

    impl Case {
        fn new(ty: WeightType, rows: usize, cols: usize, m_count: usize) -> Case {
            let raw = random_blocks(ty, 7, rows * cols / ty.block_len(), 0.5);
            let (planes, mut values) = (planes(ty, cols, &raw), vec![0.0; rows * cols]);
            dequantise(ty, &raw, &mut values).expect("room for all");
            let mut random = fastrand::Rng::with_seed(3);
            let x: Vec<f32> = (0..m_count * cols).map(|_| random.f32() * 2.0 - 1.0).collect();
            // Numbers that rounding leaves as they are, so that nothing but the products can differ.
            let x = x.as_chunks().0.iter().flat_map(steps).collect();
            Case { ty, cols, planes, values, x }
        }

        fn weights(&self) -> Weights<'_> {
            Weights { ty: self.ty, cols: self.cols, planes: self.planes.as_ref() }
        }

        fn products(&self, (processor, precision): Method, first: usize, rows: usize, x: &[f32]) -> Vec<f32> {
            let m_count = x.len() / self.cols;
            let form = Form::of(processor, precision, self.ty, m_count);
            let x = Activations::new(form, m_count, self.cols).of(processor, x);
            let mut sums = vec![f32::NAN; rows * x.rows()];
            products(processor, self.weights(), first, &x, &mut sums);
            sums
        }

        /// Holds products, `[m_count, rows]`, to those in f64.
        fn check(&self, found: &[f32], way: Method) {
            let expected = self.expected();
            let size = (expected.iter().map(|v| v * v).sum::<f64>() / expected.len() as f64).sqrt();
            assert_eq!(found.len(), expected.len());
            for (found, expected) in found.iter().zip(&expected) {
                let error = (f64::from(*found) - expected).abs() / size;
                assert!(error < 2e-6, "{} {} {way:?}: {found} {expected}", self.ty, self.x.len() / self.cols);
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
        for ty in WeightType::ALL {
            // Odd numbers of blocks where the type has small ones; numbers of rows that fill no panel, and more than one; rows of x that fill
            // no tile, one, and more than one; and so many that they meet weights in matrices, where the processor has these.
            let cols = [224, 384, 768][usize::from(ty.block_len() > 32) + usize::from(ty.block_len() == 256)];
            for (rows, m_count) in [(5, 1), (7, 2), (5, 3), (35, 4), (3, 7), (19, 15), (35, 23)] {
                let case = Case::new(ty, rows, cols, m_count);
                for way in ways(ty) {
                    case.check(&case.products(way, 0, rows, &case.x), way);
                }
            }
        }
    }

    #[test]
    fn products_do_not_depend_on_companions() {
        for ty in WeightType::ALL {
            // More chunks than a run has, and not whole runs.
            let case = Case::new(ty, 61, if ty.block_len() > 32 { 768 } else { 608 }, 23);
            for way in ways(ty) {
                let together = case.products(way, 0, 61, &case.x);
                for (m, x) in case.x.chunks(case.cols).enumerate() {
                    let alone = case.products(way, 16, 43, x);
                    assert_eq!(bits(&alone), bits(&together[61 * m + 16..][..43]), "{ty} row {m} {way:?}");
                }
            }
        }
    }

    #[test]
    fn products_of_a_group_with_others_behind_it_are_its_own() {
        for ty in WeightType::ALL {
            let case = Case::new(ty, 80, if ty.block_len() > 32 { 256 } else { 64 }, 9);
            for way in ways(ty) {
                for m_count in [1, 2, 5, 9] {
                    let x = &case.x[..m_count * case.cols];
                    let (all, group) = (case.products(way, 0, 80, x), case.products(way, 32, 16, x));
                    for m in 0..m_count {
                        assert_eq!(
                            bits(&group[16 * m..][..16]),
                            bits(&all[80 * m + 32..][..16]),
                            "{ty} {m_count} {way:?}"
                        );
                    }
                }
            }
        }
    }

    #[test]
    fn least_number_of_signed_bytes_keeps_its_value() {
        let cols = 64;
        let block: Vec<u8> = [0x00, 0x3c].into_iter().chain([0x80; 32]).collect();
        let planes = planes(WeightType::Q8_0, cols, &block.repeat(2));
        for (way, m_count) in ways(WeightType::Q8_0).flat_map(|way| [(way, 1), (way, 4)]) {
            for sign in [1.0, -1.0] {
                let case =
                    Case { ty: WeightType::Q8_0, cols, planes: planes.clone(), values: Vec::new(), x: Vec::new() };
                let sums = case.products(way, 0, 1, &vec![sign; 64 * m_count]);
                assert!(sums.iter().all(|sum| (sum + sign * 128.0 * 64.0).abs() < 0.01), "{way:?} {sums:?}");
            }
        }
    }

    #[test]
    fn activations_that_are_no_numbers_give_none_and_only_in_their_row() {
        for m_count in [2, 5] {
            for ty in [WeightType::Q4_0, WeightType::F16] {
                let case = Case::new(ty, 3, 64, m_count);
                for (way, none) in ways(ty).flat_map(|way| [(way, f32::NAN), (way, f32::INFINITY)]) {
                    let mut x = case.x.clone();
                    x[33] = none;
                    let found = case.products(way, 0, 3, &x);
                    assert!(found[..3].iter().all(|sum| !sum.is_finite()), "{way:?} {found:?}");
                    assert!(found[3..].iter().all(|sum| sum.is_finite()), "{way:?} {found:?}");
                }
            }
        }
    }
}
