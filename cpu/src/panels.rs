//! Products of quantised weight rows with many rows of activations.
//!
//! Weight rows are unpacked once into a panel, as many side by side as some vectors have lanes: of each row a lane, of each 32 columns
//! sixteen pairs of 16 bits. Then all rows of x pass, eight at a time: one instruction multiplies a pair of each row with a pair of x and adds
//! both products to whole numbers, which are exact. 32 columns take 16 of these, and are scaled once. A product has the same bits whatever is
//! computed beside it.

use crate::activations::{ActivationRow, Activations, CHUNK, Rounded};
use crate::isa::{Isa, Task};
use crate::matmul::Weights;
use crate::numbers::{Numbers, RowBytes, with_numbers};
use crate::processor::Processor;
use crate::scales::{Minima, RowScales};

/// Pairs in 32 columns.
const PAIRS: usize = CHUNK / 2;
/// Lanes of the widest vector.
const MOST_LANES: usize = 16;

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
        match I::VECTORS {
            2 => self.run_with::<I, 2>(isa),
            _ => self.run_with::<I, 1>(isa),
        }
    }
}

impl<N: Numbers> Panels<'_, N> {
    #[inline(always)]
    fn run_with<I: Isa, const V: usize>(self, isa: I) {
        let Panels { weights, first, x, sums, .. } = self;
        let (m_count, rows) = (x.rows(), sums.len() / x.rows().max(1));
        let mut panel = Panel::<V>::new(weights, I::LANES, N::SCALES);
        for from in (0..rows).step_by(V * I::LANES) {
            let count = (V * I::LANES).min(rows - from);
            panel.fill::<I, N>(isa, weights, first + from, count);
            let mut column = Column { sums, rows, from, count };
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

/// Where the products of a panel belong: `count` columns of `sums`, which is `[x.rows(), rows]`.
struct Column<'a> {
    sums: &'a mut [f32],
    rows: usize,
    from: usize,
    count: usize,
}

/// Weight rows side by side in the lanes of `V` vectors. What a lane without a row holds is of no account.
struct Panel<const V: usize> {
    chunks: usize,
    /// `[chunks, V, PAIRS, lanes]`
    numbers: Vec<[i16; 2]>,
    /// `[chunks, N::SCALES, V, lanes]`
    scales: Vec<f32>,
    /// `[chunks, V, lanes]`; empty for types that have none of their own.
    minima: Vec<f32>,
    /// What is taken from each number: the minimum of types whose minima follow from their scales.
    offset: u8,
    /// Those of the row that is being unpacked.
    of_row: RowScales,
}

impl<const V: usize> Panel<V> {
    fn new(weights: Weights<'_>, lanes: usize, scales: usize) -> Self {
        let chunks = weights.cols / CHUNK;
        let of_row = RowScales::new(weights.ty, chunks);
        let (offset, minima) = match of_row.minima {
            Minima::None => (0, 0),
            Minima::OfScale(times) => (-times as u8, 0),
            Minima::Own(_) => (0, chunks * V * lanes),
        };
        Panel {
            chunks,
            numbers: vec![[0; 2]; chunks * V * PAIRS * lanes],
            scales: vec![0.0; chunks * scales * V * lanes],
            minima: vec![0.0; minima],
            offset,
            of_row,
        }
    }

    /// Unpacks `count` rows from `first` on.
    #[inline(always)]
    fn fill<I: Isa, N: Numbers>(&mut self, isa: I, weights: Weights<'_>, first: usize, count: usize) {
        let lanes_of = |v: usize| v * I::LANES..((v + 1) * I::LANES).min(count);
        for v in 0..V {
            let mut rows = [RowBytes::default(); MOST_LANES];
            for (row, lane) in rows.iter_mut().zip(lanes_of(v)) {
                *row = weights.row(isa, first + lane, &mut self.of_row);
                put_lane(&mut self.scales, V * I::LANES, lane, &self.of_row.scales);
                if let Minima::Own(minima) = &self.of_row.minima {
                    put_lane(&mut self.minima, V * I::LANES, lane, minima);
                }
            }
            let mut numbers = [Rounded::default(); MOST_LANES];
            for c in 0..self.chunks {
                for (to, row) in numbers.iter_mut().zip(&rows[..lanes_of(v).len()]) {
                    isa.store_numbers(isa.minus(N::chunk(isa, *row, c), self.offset), to);
                }
                let size = PAIRS * I::LANES;
                isa.transpose(&numbers, &mut self.numbers[(c * V + v) * size..][..size]);
            }
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
        let x_scales = rows.map(|row| &row.scales[..self.chunks]);
        let x_sums = rows.map(|row| &row.sums[..self.chunks]);
        let x_values = rows.map(|row| &row.values[..self.chunks]);
        let mut lanes = [[isa.no_lanes(); V]; M];
        for c in 0..self.chunks {
            let numbers = &self.numbers[c * V * PAIRS * I::LANES..][..V * PAIRS * I::LANES];
            let values = x_values.map(|values| &values[c].0);
            for half in 0..N::SCALES {
                let scales = &self.scales[(c * N::SCALES + half) * V * I::LANES..][..V * I::LANES];
                let mut ints = [[isa.no_ints(); V]; M];
                for pair in PAIRS / N::SCALES * half..PAIRS / N::SCALES * (half + 1) {
                    for v in 0..V {
                        let weights = isa.pairs(&numbers[(v * PAIRS + pair) * I::LANES..][..I::LANES]);
                        for i in 0..M {
                            ints[i][v] = isa.add_pairs(ints[i][v], weights, values[i][pair]);
                        }
                    }
                }
                for i in 0..M {
                    for v in 0..V {
                        let scales = &scales[v * I::LANES..][..I::LANES];
                        lanes[i][v] = isa.add_ints(lanes[i][v], ints[i][v], scales, x_scales[i][c]);
                    }
                }
            }
            if !self.minima.is_empty() {
                let minima = &self.minima[c * V * I::LANES..][..V * I::LANES];
                for i in 0..M {
                    for v in 0..V {
                        lanes[i][v] = isa.add_lanes(lanes[i][v], &minima[v * I::LANES..][..I::LANES], x_sums[i][c]);
                    }
                }
            }
        }
        let Column { sums, rows, from, count } = column;
        for i in 0..M {
            let mut products = [[0.0; MOST_LANES]; V];
            for v in 0..V {
                isa.store_lanes(lanes[i][v], &mut products[v]);
            }
            let to = sums[(m + i) * *rows + *from..][..*count].chunks_mut(I::LANES);
            to.zip(&products).for_each(|(to, products)| to.copy_from_slice(&products[..to.len()]));
        }
        M
    }
}

/// Puts what a row has for each chunk into its lane of as many `lanes`.
#[inline(always)]
fn put_lane(to: &mut [f32], lanes: usize, lane: usize, row: &[f32]) {
    for (to, number) in to.chunks_exact_mut(lanes).zip(row) {
        to[lane] = *number;
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
