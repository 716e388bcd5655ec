//! Activations as they are: weights become floats.
//!
//! A product is 32 sums, one for each column of a chunk, which are added up in a fixed order. One weight row after the other (here) and tiles
//! of several (`tiles`) do this alike: a product has the same bits whatever is computed beside it.

use crate::ahead::LINE;
use crate::floats::Floats;
use crate::isa::{Chunk, Isa, Task};
use crate::matmul::Operands;
use crate::row::{Row, RowReader};

/// Rows of x that meet weights without tiles, at most.
pub const FEW: usize = 4;
/// How far before its use a weight is fetched, in words. From memory, one row of x is a quarter to a half faster for it.
const AHEAD: usize = 2048;

/// Products of a few exact rows of x, one weight row after the other: nothing is written but the products.
pub struct Exact<'a, F>(pub Operands<'a, F>);

impl<F: Floats> Task for Exact<'_, F> {
    type Output = ();

    #[inline(always)]
    fn run<I: Isa>(self, isa: I) {
        let rows = self.0.rows();
        let Operands { weights, first, x, sums, .. } = self.0;
        let mut reader = RowReader::new(weights);
        for n in 0..rows {
            let row = reader.row(isa, first + n);
            let [ahead, _] = weights.words(first + n..first + rows);
            let mut ahead = ahead.get(AHEAD..).unwrap_or_default();
            let (m_count, mut m) = (x.rows(), 0);
            while m < m_count {
                if m_count - m == 1 {
                    [sums[m * rows + n]] = products::<I, F, 1>(isa, row, [x.exact(m)], ahead);
                    m += 1;
                } else {
                    [sums[m * rows + n], sums[(m + 1) * rows + n]] =
                        products::<I, F, 2>(isa, row, [x.exact(m), x.exact(m + 1)], ahead);
                    m += 2;
                }
                ahead = &[];
            }
        }
    }
}

/// The products of a weight row with `M` rows of x; words from `ahead` on are fetched, as many as the row has.
#[allow(clippy::needless_range_loop, reason = "weights are walked by the same number")]
#[inline(always)]
fn products<I: Isa, F: Floats, const M: usize>(isa: I, row: Row<'_>, x: [&[Chunk]; M], ahead: &[u32]) -> [f32; M] {
    let mut sums = [isa.no_products(); M];
    let chunks = x[0].len();
    let fetched = ahead.len() / (F::LINES * LINE).max(1);
    for c in 0..chunks {
        if F::LINES > 0 && c < fetched {
            for line in 0..F::LINES {
                isa.prefetch(&ahead[(c * F::LINES + line) * LINE]);
            }
        }
        let weights = F::chunk(isa, row, c);
        for m in 0..M {
            sums[m] = isa.add_products(sums[m], weights, &x[m][c].0);
        }
    }
    // No `map`: what it calls is not compiled for the set.
    let mut products = [0.0; M];
    for m in 0..M {
        products[m] = isa.total(sums[m]);
    }
    products
}
