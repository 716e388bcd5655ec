//! Activations as they are: weights become floats.
//!
//! A product is 32 sums, one for each column of a chunk, which are added up in a fixed order. One weight row after the other (here) and tiles
//! of several (`tiles`) do this alike: a product has the same bits whatever is computed beside it.

use crate::ahead::LINE;
use crate::floats::Floats;
use crate::isa::{Chunk, Isa, Task};
use crate::matmul::Operands;
use crate::numbers::RowBytes;
use crate::scales::RowScales;

/// Rows of x that meet weights without tiles, at most: as many sums fit in registers, or nearly.
pub const FEW: usize = 4;
/// How far before its use a weight is fetched, in bytes. From memory, one row of x is a quarter to a half faster for it.
const AHEAD: usize = 8192;

/// Products of at most [`FEW`] exact rows of x, one weight row after the other: nothing is written but the products.
pub struct Exact<'a, F>(pub Operands<'a, F>);

impl<F: Floats> Task for Exact<'_, F> {
    type Output = ();

    #[inline(always)]
    fn run<I: Isa>(self, isa: I) {
        match self.0.x.rows() {
            4.. => self.run_with::<I, 4>(isa),
            3 => self.run_with::<I, 3>(isa),
            2 => self.run_with::<I, 2>(isa),
            1 => self.run_with::<I, 1>(isa),
            _ => (),
        }
    }
}

impl<F: Floats> Exact<'_, F> {
    #[inline(always)]
    fn run_with<I: Isa, const M: usize>(self, isa: I) {
        let rows = self.0.rows();
        let Operands { weights, first, x, sums, .. } = self.0;
        let mut values: [&[Chunk]; M] = [&[]; M];
        for (m, values) in values.iter_mut().enumerate() {
            *values = x.exact(m);
        }
        let mut scales = RowScales::new(weights.ty, x.chunks());
        for n in 0..rows {
            let row = weights.row(isa, first + n, &mut scales);
            let [ahead, _] = weights.numbers(first + n..first + rows);
            let products = products::<I, F, M>(isa, row, &scales, values, ahead.get(AHEAD..).unwrap_or_default());
            for m in 0..M {
                sums[m * rows + n] = products[m];
            }
        }
    }
}

/// The products of a weight row with `M` rows of x; bytes from `ahead` on are fetched, as many as the row has.
#[allow(clippy::needless_range_loop, reason = "weights are walked by the same number")]
#[inline(always)]
fn products<I: Isa, F: Floats, const M: usize>(
    isa: I,
    row: RowBytes<'_>,
    scales: &RowScales,
    x: [&[Chunk]; M],
    ahead: &[u8],
) -> [f32; M] {
    let mut sums = [isa.no_products(); M];
    let chunks = x[0].len();
    let bytes = row.quants.len() / chunks.max(1);
    for c in 0..chunks {
        // Weights of fewer bytes are not awaited: unpacking them takes longer.
        if bytes >= LINE {
            for line in (c * bytes..(c + 1) * bytes).step_by(LINE) {
                if let Some(byte) = ahead.get(line) {
                    isa.prefetch(byte);
                }
            }
        }
        let weights = F::chunk(isa, row, scales, c);
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
