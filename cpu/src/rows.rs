//! One weight row after the other, for one row of x: nothing is written but the products.

use crate::activations::{CHUNK, RoundedRow};
use crate::isa::{Isa, Task};
use crate::matmul::Operands;
use crate::numbers::{Numbers, RowBytes};
use crate::scales::{Minima, RowScales};

/// Products of the first rounded row of x, one weight row after the other: several at a time are a tenth faster from the cache, and up to a
/// half slower from memory, whose reading ahead they confuse.
pub struct Rows<'a, N>(pub Operands<'a, N>);

impl<N: Numbers> Task for Rows<'_, N> {
    type Output = ();

    #[inline(always)]
    fn run<I: Isa>(self, isa: I) {
        let Operands { weights, first, x, sums, .. } = self.0;
        let mut scales = RowScales::new(weights.ty, 1, weights.cols / CHUNK);
        let rows = sums.len() / x.rows().max(1);
        for (m, sums) in sums.chunks_exact_mut(rows.max(1)).enumerate() {
            let x = x.rounded(m);
            for (n, sum) in sums.iter_mut().enumerate() {
                let row = weights.row(isa, first + n, &mut scales);
                *sum = product::<I, N>(isa, row, &scales, x);
            }
        }
    }
}

/// The product of a weight row with a row of x.
#[inline(always)]
fn product<I: Isa, N: Numbers>(isa: I, row: RowBytes<'_>, of_row: &RowScales, x: RoundedRow<'_>) -> f32 {
    let (run, chunks) = (I::LANES / N::SCALES, x.values.len());
    let mut sums = isa.no_fours();
    for from in (0..chunks).step_by(run) {
        sums = if from + run <= chunks {
            isa.add_fours(sums, terms::<I, N>(isa, row, of_row, x, from, run))
        } else {
            // What scales hold behind a row may be no numbers.
            let count = chunks - from;
            let mut all = [0.0; 16];
            isa.store_lanes(terms::<I, N>(isa, row, of_row, x, from, count), &mut all);
            all[count * N::SCALES..].fill(0.0);
            isa.add_fours(sums, isa.lanes(&all))
        };
    }
    isa.total_of_fours(sums)
}

/// What `count` chunks from `from` on come to, each scale's in its lane.
#[inline(always)]
fn terms<I: Isa, N: Numbers>(
    isa: I,
    row: RowBytes<'_>,
    of_row: &RowScales,
    x: RoundedRow<'_>,
    from: usize,
    count: usize,
) -> I::Lanes {
    let (values, offset) = (&x.values[from..][..count], of_row.offset());
    let mut ints = [isa.no_ints(); 16];
    // Halves of a run, which compilers unroll.
    let half = I::LANES / N::SCALES / 2;
    if half == 1 && count == 2 {
        // Written out, so that they stay in registers.
        let [a, b] = [numbers::<I, N>(isa, row, from, offset), numbers::<I, N>(isa, row, from + 1, offset)];
        [ints[0], ints[1]] = isa.products_of_halves(a, &values[0]);
        [ints[2], ints[3]] = isa.products_of_halves(b, &values[1]);
    } else {
        for start in [0, half] {
            for c in start..count.min(start + half) {
                let numbers = numbers::<I, N>(isa, row, from + c, offset);
                match N::SCALES {
                    1 => ints[c] = isa.products(numbers, &values[c]),
                    _ => [ints[2 * c], ints[2 * c + 1]] = isa.products_of_halves(numbers, &values[c]),
                }
            }
        }
    }
    let x_scales = match N::SCALES {
        1 => isa.lanes(&x.scales[from..]),
        _ => isa.lanes(&twice(&x.scales[from..])),
    };
    let scales = isa.multiply(isa.lanes(&of_row.scales[from * N::SCALES..]), x_scales);
    let terms = isa.multiply(isa.floats(isa.fold(&ints)), scales);
    match &of_row.minima {
        Minima::Own(minima) => isa.multiply_add(isa.lanes(&minima[from..]), isa.lanes(&x.sums[from..]), terms),
        _ => terms,
    }
}

#[inline(always)]
fn numbers<I: Isa, N: Numbers>(isa: I, row: RowBytes<'_>, chunk: usize, offset: u8) -> I::Numbers {
    isa.numbers(isa.minus(N::chunk(isa, row, chunk), offset))
}

/// The first eight, each twice.
#[inline(always)]
fn twice(scales: &[f32]) -> [f32; 16] {
    let mut all = [0.0; 16];
    for (two, scale) in all.as_chunks_mut::<2>().0.iter_mut().zip(scales) {
        *two = [*scale; 2];
    }
    all
}
