//! Activations as they are: weights become floats, one row after the other.

use crate::activations::ExactRow;
use crate::isa::{Isa, Task};
use crate::matmul::Operands;
use crate::numbers::{Numbers, RowBytes};
use crate::scales::{Minima, RowScales};

/// Products of exact rows of x.
pub struct Exact<'a, N>(pub Operands<'a, N>);

impl<N: Numbers> Task for Exact<'_, N> {
    type Output = ();

    #[inline(always)]
    fn run<I: Isa>(mut self, isa: I) {
        let (m_count, mut m) = (self.0.x.rows(), 0);
        // Tiles of x stay in the cache while all weight rows pass.
        while m < m_count {
            m += match m_count - m {
                8.. => self.meet::<I, 8>(isa, m),
                2.. => self.meet::<I, 2>(isa, m),
                _ => self.meet::<I, 1>(isa, m),
            };
        }
    }
}

impl<N: Numbers> Exact<'_, N> {
    /// The products of all weight rows with `M` rows of x, from `m` on; gives `M`.
    #[inline(always)]
    fn meet<I: Isa, const M: usize>(&mut self, isa: I, m: usize) -> usize {
        let count = self.0.rows();
        let Operands { weights, first, x, sums, .. } = &mut self.0;
        let x: [ExactRow<'_>; M] = std::array::from_fn(|i| x.exact(m + i));
        let mut scales = RowScales::new(weights.ty, 1, x[0].values.len());
        for n in 0..count {
            let row = weights.row(isa, *first + n, &mut scales);
            let products = products::<I, N, M>(isa, row, &scales, x);
            (0..M).for_each(|i| sums[(m + i) * count + n] = products[i]);
        }
        M
    }
}

/// The products of a weight row with `M` rows of x.
#[inline(always)]
fn products<I: Isa, N: Numbers, const M: usize>(
    isa: I,
    row: RowBytes<'_>,
    of_row: &RowScales,
    x: [ExactRow<'_>; M],
) -> [f32; M] {
    let (chunks, offset) = (x[0].values.len(), of_row.offset());
    let scales = &of_row.scales[..chunks * N::SCALES];
    let mut sums = [isa.zero(); M];
    for c in 0..chunks {
        let numbers = isa.widen(isa.minus(N::chunk(isa, row, c), offset));
        let weights = isa.times(numbers, [scales[c * N::SCALES], scales[(c + 1) * N::SCALES - 1]]);
        for i in 0..M {
            sums[i] = isa.add_products(sums[i], weights, &x[i].values[c].0);
        }
    }
    // No `from_fn`: what it calls is not compiled for the set.
    let mut products = [0.0; M];
    for i in 0..M {
        products[i] = isa.total(sums[i]);
        if let Minima::Own(minima) = &of_row.minima {
            products[i] += dot(minima, x[i].sums);
        }
    }
    products
}

/// The product of two vectors, which is as long as the second.
#[inline(always)]
fn dot(a: &[f32], b: &[f32]) -> f32 {
    let mut sums = [0.0; 8];
    let ((a, few_a), (b, few_b)) = (a[..b.len()].as_chunks::<8>(), b.as_chunks::<8>());
    for (a, b) in a.iter().zip(b) {
        (0..8).for_each(|i| sums[i] += a[i] * b[i]);
    }
    sums.iter().sum::<f32>() + few_a.iter().zip(few_b).map(|(a, b)| a * b).sum::<f32>()
}
