//! Products of quantised weight rows with rows of f32.
//!
//! A weight is `number * scale + minimum` (`numbers`, `scales`). Numbers meet x as floats, 32 at a time; what comes of each 32 is scaled
//! once, and the minima meet the sums of x. One row of x: numbers become floats in registers. Several: a few weight rows are unpacked once
//! into memory that stays in the second cache, and four rows of x, which stay in the first, meet them in turn. Either way each product is
//! summed in the same order, so that it has the same bits whatever is computed beside it.

use inglenook_format::quant::{Plane, PlanesRef, WeightType};

use crate::isa::{Isa, Task};
use crate::numbers::{Bytes, Fives, Fives256, Nibbles, Nibbles64, Numbers, RowBytes, Sixes};
use crate::processor::Processor;
use crate::scales::RowScales;

/// Rows of x that a weight row meets at once.
const AT_ONCE: usize = 4;
/// Bytes of unpacked weight rows.
const UNPACKED_BYTES: usize = 128 << 10;

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
    fn row(&self, n: usize, scales: &mut RowScales) -> RowBytes<'a> {
        let Weights { ty, cols, planes } = *self;
        let blocks = cols / ty.block_len();
        let row = |plane, words: &'a [u32]| {
            let stride = ty.plane_bytes(plane, 2) / 2;
            &bytemuck::cast_slice::<u32, u8>(words)[n * blocks * stride..(n + 1) * blocks * stride]
        };
        scales.read(ty, row(Plane::Scales, planes.scales));
        RowBytes { quants: row(Plane::Quants, planes.quants), high_bits: row(Plane::HighBits, planes.high_bits) }
    }
}

/// Rows of f32, and the sum of each 32 of them.
#[derive(Debug)]
pub struct Activations<'a> {
    cols: usize,
    values: &'a [f32],
    sums: Vec<f32>,
}

#[derive(Clone, Copy)]
struct ActivationRow<'a> {
    values: &'a [[f32; 32]],
    sums: &'a [f32],
}

impl<'a> Activations<'a> {
    /// `values`: `[rows, cols]`, with columns a multiple of 32.
    pub fn new(values: &'a [f32], cols: usize) -> Activations<'a> {
        let sum = |chunk: &[f32; 32]| {
            let mut sums = [0.0; 8];
            chunk.as_chunks::<8>().0.iter().for_each(|eight| (0..8).for_each(|i| sums[i] += eight[i]));
            sums.iter().sum()
        };
        Activations { cols, values, sums: values.as_chunks::<32>().0.iter().map(sum).collect() }
    }

    /// How many rows there are.
    pub fn rows(&self) -> usize {
        self.values.len().checked_div(self.cols).unwrap_or(0)
    }

    fn row(&self, m: usize) -> ActivationRow<'_> {
        let chunks = self.cols / 32;
        let values = self.values[m * self.cols..(m + 1) * self.cols].as_chunks().0;
        ActivationRow { values, sums: &self.sums[m * chunks..(m + 1) * chunks] }
    }
}

/// `sums[(n - first) * x.rows() + m] = weights[n] · x[m]` for the weight rows from `first` on, as many as `sums` has room for.
///
/// # Panics
/// Where planes end before these rows do, x has other columns, or the type has no blocks.
pub fn dot_products(processor: Processor, weights: Weights<'_>, first: usize, x: &Activations<'_>, sums: &mut [f32]) {
    assert_eq!(weights.cols, x.cols, "weights and activations have the same columns");
    match weights.ty {
        WeightType::Q8_0 => processor.run(Rows::<Bytes>::new(weights, first, x, sums)),
        WeightType::Q4_0 | WeightType::Q4_1 => processor.run(Rows::<Nibbles>::new(weights, first, x, sums)),
        WeightType::Q5_0 | WeightType::Q5_1 => processor.run(Rows::<Fives>::new(weights, first, x, sums)),
        WeightType::Q4_K => processor.run(Rows::<Nibbles64>::new(weights, first, x, sums)),
        WeightType::Q5_K => processor.run(Rows::<Fives256>::new(weights, first, x, sums)),
        WeightType::Q6_K => processor.run(Rows::<Sixes>::new(weights, first, x, sums)),
        WeightType::F32 | WeightType::F16 | WeightType::BF16 => unreachable!("types without blocks have no numbers"),
    }
}

struct Rows<'a, N> {
    weights: Weights<'a>,
    first: usize,
    x: &'a Activations<'a>,
    sums: &'a mut [f32],
    numbers: std::marker::PhantomData<N>,
}

impl<'a, N> Rows<'a, N> {
    fn new(weights: Weights<'a>, first: usize, x: &'a Activations<'a>, sums: &'a mut [f32]) -> Self {
        Rows { weights, first, x, sums, numbers: std::marker::PhantomData }
    }
}

impl<N: Numbers> Task for Rows<'_, N> {
    type Output = ();

    #[inline(always)]
    fn run<I: Isa>(self, isa: I) {
        let Rows { weights, first, x, sums, .. } = self;
        let (m_count, chunks) = (x.rows(), weights.cols / 32);
        if sums.is_empty() {
            return;
        }
        if m_count == 1 {
            let (mut scales, x) = (RowScales::default(), x.row(0));
            for (n, sum) in sums.iter_mut().enumerate() {
                let row = weights.row(first + n, &mut scales);
                *sum = one::<I, N>(isa, row, &scales, x);
            }
            return;
        }
        let rows = (UNPACKED_BYTES / (weights.cols * 4)).max(1);
        let mut unpacked: Vec<_> = (0..rows).map(|_| (RowScales::default(), vec![[0.0; 32]; chunks])).collect();
        for (block, sums) in sums.chunks_mut(rows * m_count).enumerate() {
            let count = sums.len() / m_count;
            for (n, (scales, numbers)) in unpacked.iter_mut().take(count).enumerate() {
                unpack::<I, N>(isa, weights.row(first + block * rows + n, scales), numbers);
            }
            for m in (0..m_count).step_by(AT_ONCE) {
                let several = AT_ONCE.min(m_count - m);
                for ((scales, numbers), sums) in unpacked.iter().zip(sums.chunks_exact_mut(m_count)) {
                    let out = &mut sums[m..m + several];
                    match several {
                        AT_ONCE => meet::<I, N, AT_ONCE>(isa, scales, numbers, x, m, out),
                        _ => (0..several).for_each(|i| meet::<I, N, 1>(isa, scales, numbers, x, m + i, &mut out[i..])),
                    }
                }
            }
        }
    }
}

#[inline(always)]
fn floats_of<I: Isa, N: Numbers>(isa: I, row: RowBytes<'_>, c: usize) -> [I::Floats; 4] {
    let bytes = N::chunk(isa, row, c);
    if N::SIGNED { isa.widen_signed(bytes) } else { isa.widen_unsigned(bytes) }
}

#[inline(always)]
fn unpack<I: Isa, N: Numbers>(isa: I, row: RowBytes<'_>, to: &mut [[f32; 32]]) {
    for (c, to) in to.iter_mut().enumerate() {
        for (floats, to) in floats_of::<I, N>(isa, row, c).into_iter().zip(to.as_chunks_mut::<8>().0) {
            isa.store_floats(floats, to);
        }
    }
}

/// Adds what 32 numbers come to.
#[inline(always)]
fn add_chunk<I: Isa, N: Numbers>(
    isa: I,
    sums: I::Floats,
    weights: [I::Floats; 4],
    x: &[f32; 32],
    scales: &[f32],
    c: usize,
) -> I::Floats {
    let x = x.as_chunks::<8>().0;
    let two = |i: usize| {
        let first = isa.times(weights[i], isa.load_floats(&x[i]));
        isa.times_add(weights[i + 1], isa.load_floats(&x[i + 1]), first)
    };
    match N::SCALES {
        1 => isa.times_add(isa.add(two(0), two(2)), isa.splat(scales[c]), sums),
        _ => {
            let sums = isa.times_add(two(0), isa.splat(scales[2 * c]), sums);
            isa.times_add(two(2), isa.splat(scales[2 * c + 1]), sums)
        }
    }
}

/// The product with one row of x.
#[inline(always)]
fn one<I: Isa, N: Numbers>(
    isa: I,
    row: RowBytes<'_>,
    RowScales { scales, minima }: &RowScales,
    x: ActivationRow<'_>,
) -> f32 {
    // Chunks take turns, since each addition waits for the one before.
    let mut sums = [isa.zero(); 2];
    for (c, values) in x.values.iter().enumerate() {
        sums[c % 2] = add_chunk::<I, N>(isa, sums[c % 2], floats_of::<I, N>(isa, row, c), values, scales, c);
    }
    isa.total(isa.add(sums[0], sums[1])) + of_minima(minima, x.sums)
}

/// What the minima of a row come to.
#[inline(always)]
fn of_minima(minima: &[f32], x_sums: &[f32]) -> f32 {
    let mut sums = [0.0; 8];
    let ((minima, few_minima), (x, few_x)) = (minima.as_chunks::<8>(), x_sums[..minima.len()].as_chunks::<8>());
    for (minima, x) in minima.iter().zip(x) {
        (0..8).for_each(|i| sums[i] += minima[i] * x[i]);
    }
    sums.iter().sum::<f32>() + few_minima.iter().zip(few_x).map(|(minimum, x)| minimum * x).sum::<f32>()
}

/// The products of an unpacked row with `M` rows of x from `m` on.
#[inline(always)]
fn meet<I: Isa, N: Numbers, const M: usize>(
    isa: I,
    RowScales { scales, minima }: &RowScales,
    numbers: &[[f32; 32]],
    x: &Activations<'_>,
    m: usize,
    out: &mut [f32],
) {
    let rows: [ActivationRow<'_>; M] = std::array::from_fn(|i| x.row(m + i));
    let values = rows.map(|row| &row.values[..numbers.len()]);
    let mut sums = [[isa.zero(); 2]; M];
    for (c, numbers) in numbers.iter().enumerate() {
        let eights = numbers.as_chunks::<8>().0;
        let weights: [I::Floats; 4] = std::array::from_fn(|i| isa.load_floats(&eights[i]));
        for i in 0..M {
            sums[i][c % 2] = add_chunk::<I, N>(isa, sums[i][c % 2], weights, &values[i][c], scales, c);
        }
    }
    for i in 0..M {
        out[i] = isa.total(isa.add(sums[i][0], sums[i][1])) + of_minima(minima, rows[i].sums);
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use inglenook_format::quant::{Planes, dequantise, random_blocks, repack};

    const TYPES: [WeightType; 8] = [
        WeightType::Q8_0,
        WeightType::Q4_0,
        WeightType::Q4_1,
        WeightType::Q5_0,
        WeightType::Q5_1,
        WeightType::Q4_K,
        WeightType::Q5_K,
        WeightType::Q6_K,
    ];

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
            let (mut planes, mut values) = (Planes::default(), vec![0.0; rows * cols]);
            repack(ty, &raw, 0, &mut planes).expect("whole blocks");
            dequantise(ty, &raw, &mut values).expect("room for all");
            let mut random = fastrand::Rng::with_seed(3);
            let x = (0..m_count * cols).map(|_| random.f32() * 2.0 - 1.0).collect();
            Case { ty, cols, planes, values, x }
        }

        fn products(&self, processor: Processor, first: usize, rows: usize, x: &[f32]) -> Vec<f32> {
            let x = Activations::new(x, self.cols);
            let mut sums = vec![f32::NAN; rows * x.rows()];
            let weights = Weights { ty: self.ty, cols: self.cols, planes: self.planes.as_ref() };
            dot_products(processor, weights, first, &x, &mut sums);
            sums
        }

        /// In f64.
        fn expected(&self) -> Vec<f64> {
            let dot =
                |weights: &[f32], x: &[f32]| weights.iter().zip(x).map(|(w, x)| f64::from(*w) * f64::from(*x)).sum();
            let rows = self.values.chunks(self.cols);
            rows.flat_map(|weights| self.x.chunks(self.cols).map(move |x| dot(weights, x))).collect()
        }
    }

    #[test]
    fn products_equal_those_of_dequantised_weights_on_every_instruction_set() {
        for ty in TYPES {
            // Odd numbers of blocks where the type has small ones; rows of x that fill no tile, one, and more than one.
            let cols = if ty.block_len() == 32 { 224 } else { 768 };
            for m_count in [1, 2, 4, 7] {
                let case = Case::new(ty, 5, cols, m_count);
                let expected = case.expected();
                let size = expected.iter().map(|v| v * v).sum::<f64>() / expected.len() as f64;
                for processor in Processor::all() {
                    let found = case.products(processor, 0, 5, &case.x);
                    for (found, expected) in found.iter().zip(&expected) {
                        let error = (f64::from(*found) - expected).abs() / size.sqrt();
                        assert!(error < 2e-6, "{ty} {m_count} {processor:?}: {found} {expected}");
                    }
                }
            }
        }
    }

    #[test]
    fn products_do_not_depend_on_companions() {
        for ty in TYPES {
            let case = Case::new(ty, 5, 768, 9);
            for processor in Processor::all() {
                let together = case.products(processor, 0, 5, &case.x);
                for (m, x) in case.x.chunks(case.cols).enumerate() {
                    let alone = case.products(processor, 2, 3, x);
                    let found: Vec<f32> = together[2 * 9..].iter().skip(m).step_by(9).copied().collect();
                    let bits = |values: &[f32]| values.iter().map(|v| v.to_bits()).collect::<Vec<_>>();
                    assert_eq!(bits(&alone), bits(&found), "{ty} row {m} {processor:?}");
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
                dot_products(processor, weights, 0, &Activations::new(&[sign; 64], cols), &mut sums);
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
