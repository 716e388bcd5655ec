//! Products of quantised weight rows with many rows of activations.
//!
//! As many weight rows as a vector has lanes are unpacked once into a panel: of each row a lane, of each 32 columns sixteen pairs of 16 bits.
//! Then all rows of x pass, eight at a time: one instruction multiplies a pair of each row with a pair of x and adds both products to whole
//! numbers, which are exact. 32 columns take 16 of these, and are scaled once. A product has the same bits whatever is computed beside it.

use crate::activations::{ActivationRow, Activations, CHUNK, Rounded};
use crate::isa::{Isa, Task};
use crate::matmul::Weights;
use crate::numbers::{Numbers, RowBytes, with_numbers};
use crate::processor::Processor;
use crate::scales::{Minima, RowScales};

/// Pairs in 32 columns.
const PAIRS: usize = CHUNK / 2;

/// As [`dot_products`](crate::dot_products), for rows of x that [`Activations::rounded`] has made.
///
/// # Panics
/// Where planes end before these rows do, x has other columns, or the type has no blocks.
pub fn panel_products(processor: Processor, weights: Weights<'_>, first: usize, x: &Activations, sums: &mut [f32]) {
    assert_eq!(weights.cols, x.cols(), "weights and activations have the same columns");
    with_numbers!(weights.ty, N => processor.run(Panels::<N> { weights, first, x, sums, numbers: Default::default() }));
}

struct Panels<'a, N> {
    weights: Weights<'a>,
    first: usize,
    x: &'a Activations,
    sums: &'a mut [f32],
    numbers: std::marker::PhantomData<N>,
}

impl<N: Numbers> Task for Panels<'_, N> {
    type Output = ();

    #[inline(always)]
    fn run<I: Isa>(self, isa: I) {
        let Panels { weights, first, x, sums, .. } = self;
        let (m_count, rows) = (x.rows(), sums.len() / x.rows().max(1));
        let mut panel = Panel::new(weights.cols / CHUNK, I::LANES, N::SCALES);
        let mut scales = RowScales::new(weights.ty, panel.chunks);
        for (group, sums) in sums.chunks_mut(I::LANES * m_count).enumerate() {
            let from = group * I::LANES;
            for lane in 0..I::LANES.min(rows - from) {
                let row = weights.row(isa, first + from + lane, &mut scales);
                panel.put::<I, N>(isa, lane, row, &scales);
            }
            let mut m = 0;
            while m < m_count {
                m += match m_count - m {
                    8.. => panel.meet::<I, N, 8>(isa, x, m, sums),
                    4.. => panel.meet::<I, N, 4>(isa, x, m, sums),
                    2.. => panel.meet::<I, N, 2>(isa, x, m, sums),
                    _ => panel.meet::<I, N, 1>(isa, x, m, sums),
                };
            }
        }
    }
}

/// Weight rows side by side, in as many lanes. What a lane without a row holds is of no account.
struct Panel {
    chunks: usize,
    lanes: usize,
    /// `[chunks, PAIRS, lanes]`
    numbers: Vec<[i16; 2]>,
    /// `[chunks, N::SCALES, lanes]`
    scales: Vec<f32>,
    /// `[chunks, lanes]`; zeros for types that have none.
    minima: Vec<f32>,
}

impl Panel {
    fn new(chunks: usize, lanes: usize, scales: usize) -> Panel {
        Panel {
            chunks,
            lanes,
            numbers: vec![[0; 2]; chunks * PAIRS * lanes],
            scales: vec![0.0; chunks * scales * lanes],
            minima: vec![0.0; chunks * lanes],
        }
    }

    /// Unpacks a row into `lane`.
    #[inline(always)]
    fn put<I: Isa, N: Numbers>(
        &mut self,
        isa: I,
        lane: usize,
        row: RowBytes<'_>,
        RowScales { scales, minima }: &RowScales,
    ) {
        let mut numbers = Rounded::default();
        for (c, pairs) in self.numbers.chunks_exact_mut(PAIRS * I::LANES).enumerate() {
            let bytes = N::chunk(isa, row, c);
            if N::SIGNED {
                isa.store_signed(bytes, &mut numbers)
            } else {
                isa.store_unsigned(bytes, &mut numbers)
            }
            for (to, pair) in pairs.chunks_exact_mut(I::LANES).zip(numbers.0) {
                to[lane] = pair;
            }
        }
        let lane_of = |numbers: &mut [f32], row: &mut dyn Iterator<Item = f32>| {
            numbers[lane..].iter_mut().step_by(I::LANES).zip(row).for_each(|(to, number)| *to = number);
        };
        lane_of(&mut self.scales, &mut scales.iter().copied());
        match minima {
            Minima::None => {}
            Minima::OfScale(times) => lane_of(&mut self.minima, &mut scales.iter().map(|scale| scale * times)),
            Minima::Own(minima) => lane_of(&mut self.minima, &mut minima.iter().copied()),
        }
    }

    /// The products with `M` rows of x, from `m` on, to where they belong in `sums`; gives `M`.
    #[inline(always)]
    fn meet<I: Isa, N: Numbers, const M: usize>(&self, isa: I, x: &Activations, m: usize, sums: &mut [f32]) -> usize {
        let rows: [ActivationRow<'_, Rounded>; M] = std::array::from_fn(|i| x.row(m + i));
        let mut lanes = [isa.no_lanes(); M];
        for c in 0..self.chunks {
            let numbers = &self.numbers[c * PAIRS * I::LANES..][..PAIRS * I::LANES];
            let values = rows.map(|row| &row.values[c].0);
            for half in 0..N::SCALES {
                let scales = &self.scales[(c * N::SCALES + half) * I::LANES..][..I::LANES];
                let pairs = PAIRS / N::SCALES * half..PAIRS / N::SCALES * (half + 1);
                let mut ints = [isa.no_ints(); M];
                for pair in pairs {
                    let weights = isa.pairs(&numbers[pair * I::LANES..][..I::LANES]);
                    for i in 0..M {
                        ints[i] = isa.add_pairs(ints[i], weights, values[i][pair]);
                    }
                }
                for i in 0..M {
                    lanes[i] = isa.add_ints(lanes[i], ints[i], scales, rows[i].scales[c]);
                }
            }
            if !N::SIGNED {
                let minima = &self.minima[c * I::LANES..][..I::LANES];
                for i in 0..M {
                    lanes[i] = isa.add_lanes(lanes[i], minima, rows[i].sums[c]);
                }
            }
        }
        let mut products = [0.0; 16];
        for (i, lanes) in lanes.into_iter().enumerate() {
            isa.store_lanes(lanes, &mut products);
            let column = sums[m + i..].iter_mut().step_by(x.rows());
            column.zip(&products[..self.lanes]).for_each(|(sum, product)| *sum = *product);
        }
        M
    }
}
