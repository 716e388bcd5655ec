//! Products of quantised weight rows with many rows of activations.
//!
//! Weight rows are unpacked once into a panel, as many side by side as some vectors have lanes: of each row a lane, of each 32 columns
//! sixteen pairs of 16 bits. Then all rows of x pass, eight at a time: one instruction multiplies a pair of each row with a pair of x and adds
//! both products to whole numbers, which are exact. 32 columns take 16 of these, and are scaled once. A product has the same bits whatever is
//! computed beside it.

use crate::activations::{Activations, CHUNK, Rounded, RoundedRow};
use crate::ahead::Ahead;
use crate::isa::{Isa, Task};
use crate::matmul::{Operands, Weights};
use crate::numbers::Numbers;
use crate::scales::{Minima, RowScales};

/// Pairs in 32 columns.
const PAIRS: usize = CHUNK / 2;
/// Lanes of the widest vector.
const MOST_LANES: usize = 16;

/// Products of rounded rows of x, of many weight rows at a time.
pub struct Panels<'a, N>(pub Operands<'a, N>);

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
        let rows = self.0.rows();
        let Operands { weights, first, x, sums, .. } = self.0;
        let m_count = x.rows();
        let mut panel = Panel::<V>::new(weights, I::LANES, N::SCALES);
        for from in (0..rows).step_by(V * I::LANES) {
            let count = (V * I::LANES).min(rows - from);
            panel.fill::<I, N>(isa, weights, first + from, count);
            let next = from + count..rows.min(from + count + V * I::LANES);
            let mut ahead = Ahead(weights.numbers(first + next.start..first + next.end));
            let mut column = Column { sums, rows, from, count };
            let mut m = 0;
            while m < m_count {
                m += match m_count - m {
                    8.. => panel.meet::<I, N, 8>(isa, x, m, &mut column, ahead),
                    4.. => panel.meet::<I, N, 4>(isa, x, m, &mut column, ahead),
                    2.. => panel.meet::<I, N, 2>(isa, x, m, &mut column, ahead),
                    _ => panel.meet::<I, N, 1>(isa, x, m, &mut column, ahead),
                };
                ahead = Ahead::default();
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
    numbers: Vec<u32>,
    /// `[chunks, N::SCALES, V, lanes]`
    scales: Vec<f32>,
    /// `[chunks, V, lanes]`; empty for types that have none of their own.
    minima: Vec<f32>,
    /// Those of the row that is being unpacked.
    of_row: RowScales,
    /// Rows that are unpacked: `[lanes, chunks]`.
    unpacked: Vec<Rounded>,
}

impl<const V: usize> Panel<V> {
    fn new(weights: Weights<'_>, lanes: usize, scales: usize) -> Self {
        let chunks = weights.cols / CHUNK;
        let of_row = RowScales::new(weights.ty, chunks);
        let minima = if let Minima::Own(_) = of_row.minima { chunks * V * lanes } else { 0 };
        Panel {
            chunks,
            numbers: vec![0; chunks * V * PAIRS * lanes],
            scales: vec![0.0; chunks * scales * V * lanes],
            minima: vec![0.0; minima],
            of_row,
            unpacked: vec![Rounded::default(); chunks * lanes],
        }
    }

    /// Unpacks `count` rows from `first` on.
    #[inline(always)]
    fn fill<I: Isa, N: Numbers>(&mut self, isa: I, weights: Weights<'_>, first: usize, count: usize) {
        let offset = self.of_row.offset();
        for v in 0..V {
            // Row after row, for the processor to read ahead; then all of a chunk.
            for lane in v * I::LANES..((v + 1) * I::LANES).min(count) {
                let row = weights.row(isa, first + lane, &mut self.of_row);
                put_lane(&mut self.scales, V * I::LANES, lane, &self.of_row.scales);
                if let Minima::Own(minima) = &self.of_row.minima {
                    put_lane(&mut self.minima, V * I::LANES, lane, minima);
                }
                let unpacked = &mut self.unpacked[lane % I::LANES * self.chunks..][..self.chunks];
                for (c, numbers) in unpacked.iter_mut().enumerate() {
                    isa.store_numbers(isa.numbers(isa.minus(N::chunk(isa, row, c), offset)), numbers);
                }
            }
            let unpacked: &[u32] = bytemuck::cast_slice(&self.unpacked);
            for c in 0..self.chunks {
                let size = PAIRS * I::LANES;
                let to = &mut self.numbers[(c * V + v) * size..][..size];
                isa.transpose(&unpacked[c * PAIRS..], self.chunks * PAIRS, to);
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
        ahead: Ahead<'_>,
    ) -> usize {
        let x: [RoundedRow<'_>; M] = std::array::from_fn(|i| x.rounded(m + i));
        let mut fours = [[[isa.zero(); V]; M]; 4];
        for c in 0..self.chunks {
            ahead.fetch(isa, c, self.chunks);
            self.add_chunk::<I, N, M>(isa, c, x, &mut fours);
        }
        let Column { sums, rows, from, count } = column;
        for i in 0..M {
            let mut products = [[0.0; MOST_LANES]; V];
            for v in 0..V {
                let [a, b, c, d] = [fours[0][i][v], fours[1][i][v], fours[2][i][v], fours[3][i][v]];
                let total = isa.add(isa.add(a, c), isa.add(b, d));
                isa.store_lanes(total, &mut products[v]);
            }
            let to = sums[(m + i) * *rows + *from..][..*count].chunks_mut(I::LANES);
            to.zip(&products).for_each(|(to, products)| to.copy_from_slice(&products[..to.len()]));
        }
        M
    }

    /// Adds what 32 columns come to.
    #[inline(always)]
    fn add_chunk<I: Isa, N: Numbers, const M: usize>(
        &self,
        isa: I,
        c: usize,
        x: [RoundedRow<'_>; M],
        fours: &mut [[[I::Lanes; V]; M]; 4],
    ) {
        let values = x.map(|x| &x.values[c].0);
        let numbers = &self.numbers[c * V * PAIRS * I::LANES..][..V * PAIRS * I::LANES];
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
            let sums = &mut fours[(c * N::SCALES + half) % 4];
            for i in 0..M {
                let x_scale = isa.all(x[i].scales[c]);
                for v in 0..V {
                    let scales = isa.multiply(isa.lanes(&scales[v * I::LANES..][..I::LANES]), x_scale);
                    let mut term = isa.multiply(isa.floats(ints[i][v]), scales);
                    if !self.minima.is_empty() {
                        let minima = &self.minima[(c * V + v) * I::LANES..][..I::LANES];
                        term = isa.multiply_add(isa.lanes(minima), isa.all(x[i].sums[c]), term);
                    }
                    sums[i][v] = isa.add(sums[i][v], term);
                }
            }
        }
    }
}

/// Puts what a row has for each chunk into its lane of as many `lanes`.
#[inline(always)]
fn put_lane(to: &mut [f32], lanes: usize, lane: usize, row: &[f32]) {
    for (to, number) in to.chunks_exact_mut(lanes).zip(row) {
        to[lane] = *number;
    }
}
