//! Activations as they are: weights become floats.
//!
//! A product is as many sums as a vector has lanes, each of every so many-th column from the first to the last, which are added up in a fixed
//! order. A few weight rows at a time (here) and tiles of several (`tiles`) do this alike: a product has the same bits whatever is computed
//! beside it.

use crate::activations::CHUNK;
use crate::ahead::LINE;
use crate::floats::Floats;
use crate::isa::{Chunk, Isa, Task};
use crate::matmul::Operands;
use crate::row::{Row, RowReader};

/// Rows of x that meet weights without tiles, at most.
pub const FEW: usize = 4;
/// Weight rows that are computed at once: one after the other would wait for each of its own sums.
const ROWS: usize = 4;
/// How far before its use a weight is fetched, in words. From memory, one row of x is a quarter to a half faster for it.
const AHEAD: usize = 2048;

/// Products of a few exact rows of x, a few weight rows after the others: nothing is written but the products.
pub struct Exact<'a, F>(pub Operands<'a, F>);

impl<F: Floats> Task for Exact<'_, F> {
    type Output = ();

    #[inline(always)]
    fn run<I: Isa>(mut self, isa: I) {
        let rows = self.0.rows();
        let mut reader = RowReader::new(self.0.weights);
        let mut n = 0;
        while n < rows {
            reader.reach(isa, self.0.first + n);
            n += if rows - n < ROWS {
                self.meet::<I, 1>(isa, &reader, n)
            } else {
                self.meet::<I, ROWS>(isa, &reader, n)
            };
        }
    }
}

impl<F: Floats> Exact<'_, F> {
    /// The products of `N` weight rows from `n` on, all of one group where these lie side by side; gives `N`.
    #[inline(always)]
    fn meet<I: Isa, const N: usize>(&mut self, isa: I, reader: &RowReader<'_>, n: usize) -> usize {
        let rows = self.0.rows();
        let Operands { weights, first, x, sums, .. } = &mut self.0;
        let mut own = [reader.row(*first + n); N];
        for (i, own) in own.iter_mut().enumerate() {
            *own = reader.row(*first + n + i);
        }
        let [ahead, _] = weights.words(*first + n..*first + rows);
        let mut ahead = ahead.get(AHEAD..).unwrap_or_default();
        let (m_count, mut m) = (x.rows(), 0);
        while m < m_count {
            // Two at once where whole groups of weight rows are, which is nearly everywhere: each way is code for every type of weights.
            if m_count - m == 1 || N < ROWS {
                let products = products::<I, F, N, 1>(isa, own, [x.exact(m)], ahead);
                sums[m * rows + n..][..N].copy_from_slice(&products[0]);
                m += 1;
            } else {
                let products = products::<I, F, N, 2>(isa, own, [x.exact(m), x.exact(m + 1)], ahead);
                sums[m * rows + n..][..N].copy_from_slice(&products[0]);
                sums[(m + 1) * rows + n..][..N].copy_from_slice(&products[1]);
                m += 2;
            }
            ahead = &[];
        }
        N
    }
}

/// The products of `N` weight rows with `M` rows of x: `[M, N]`; words from `ahead` on are fetched, as many as the rows have.
#[allow(clippy::needless_range_loop, reason = "what `map` and iterators call is not compiled for the set")]
#[inline(always)]
fn products<I: Isa, F: Floats, const N: usize, const M: usize>(
    isa: I,
    rows: [Row<'_>; N],
    x: [&[Chunk]; M],
    ahead: &[u32],
) -> [[f32; N]; M] {
    let mut sums = [[isa.zero(); N]; M];
    let fetched = ahead.len() / (N * F::LINES * LINE).max(1);
    for c in 0..x[0].len() {
        if F::LINES > 0 && c < fetched {
            for line in 0..N * F::LINES {
                isa.prefetch(&ahead[(c * N * F::LINES + line) * LINE]);
            }
        }
        for n in 0..N {
            let weights = F::chunk(isa, rows[n], c);
            for part in 0..CHUNK / I::LANES {
                let lanes = isa.part(weights, part);
                for m in 0..M {
                    let x = isa.lanes(&x[m][c].0[part * I::LANES..]);
                    sums[m][n] = isa.multiply_add(lanes, x, sums[m][n]);
                }
            }
        }
    }
    let mut products = [[0.0; N]; M];
    for m in 0..M {
        for n in 0..N {
            products[m][n] = isa.total(sums[m][n]);
        }
    }
    products
}
