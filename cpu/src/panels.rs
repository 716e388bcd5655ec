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
        for from in (0..rows).step_by(I::LANES) {
            let mut column = Column { sums, rows, from, lanes: I::LANES.min(rows - from) };
            for lane in 0..column.lanes {
                let row = weights.row(isa, first + from + lane, &mut scales);
                panel.put::<I, N>(isa, lane, row, &scales);
            }
            let mut m = 0;
            while m < m_count {
                m += match m_count - m {
                    8.. => panel.meet::<I, N, 8>(isa, x, m, &mut column),
                    4.. => panel.meet::<I, N, 4>(isa, x, m, &mut column),
                    2.. => panel.meet::<I, N, 2>(isa, x, m, &mut column),
                    _ => panel.meet::<I, N, 1>(isa, x, m, &mut column),
                };
            }
        }
    }
}

/// Where the products of a panel belong: `lanes` columns of `sums`, which is `[x.rows(), rows]`.
struct Column<'a> {
    sums: &'a mut [f32],
    rows: usize,
    from: usize,
    lanes: usize,
}

/// Weight rows side by side, in as many lanes. What a lane without a row holds is of no account.
struct Panel {
    chunks: usize,
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

    /// The products with `M` rows of x, from `m` on, to where they belong; gives `M`.
    #[inline(always)]
    fn meet<I: Isa, N: Numbers, const M: usize>(
        &self,
        isa: I,
        x: &Activations,
        m: usize,
        column: &mut Column<'_>,
    ) -> usize {
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
            let Column { sums, rows, from, lanes } = column;
            sums[(m + i) * *rows + *from..][..*lanes].copy_from_slice(&products[..*lanes]);
        }
        M
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::matmul::tests::{Case, types};

    fn products(case: &Case, processor: Processor, first: usize, rows: usize, x: &[f32]) -> Vec<f32> {
        let (_, cols) = case.x();
        let x = Activations::rounded(x.len() / cols, cols).of(processor, x);
        let mut sums = vec![f32::NAN; rows * x.rows()];
        panel_products(processor, case.weights(), first, &x, &mut sums);
        sums
    }

    #[test]
    fn panels_equal_products_of_dequantised_weights_on_every_instruction_set() {
        for ty in types() {
            // Rows that fill no panel, and more than one; rows of x that fill no tile, and more than one.
            for (rows, m_count) in [(7, 1), (5, 3), (19, 15)] {
                let case = Case::new(ty, rows, if ty.block_len() == 32 { 224 } else { 768 }, m_count);
                for processor in Processor::all() {
                    case.check(&products(&case, processor, 0, rows, case.x().0), processor);
                }
            }
        }
    }

    #[test]
    fn panels_do_not_depend_on_companions() {
        for ty in types() {
            let case = Case::new(ty, 21, 768, 9);
            for processor in Processor::all() {
                let together = products(&case, processor, 0, 21, case.x().0);
                for (m, x) in case.rows_of_x().enumerate() {
                    let alone = products(&case, processor, 2, 18, x);
                    let bits = |values: &[f32]| values.iter().map(|v| v.to_bits()).collect::<Vec<_>>();
                    assert_eq!(bits(&alone), bits(&together[21 * m + 2..][..18]), "{ty} row {m} {processor:?}");
                }
            }
        }
    }

    #[test]
    fn activations_that_are_no_numbers_give_none_and_only_in_their_row() {
        let case = Case::new(types().next().expect("a type"), 3, 64, 2);
        let mut x = case.x().0.to_vec();
        x[33] = f32::INFINITY;
        for processor in Processor::all() {
            let found = products(&case, processor, 0, 3, &x);
            assert!(found[..3].iter().all(|sum| sum.is_nan()) && found[3..].iter().all(|sum| sum.is_finite()));
        }
    }
}
