//! Twin of the matmul kernels, for few rows and for many.

use std::ops::Range;

use super::products::{PAIR, products_of_one, products_of_two};
use super::threads::{ALL_THREADS, pieces_of, spread, threads_for};
use super::{WeightRows, activate, gate_one};
use crate::kernels::matmul::Epilogue;

/// `sums[n * m_count + m] = weights[rows.start + n] · x[m]` for these weight rows; `x`: `[m_count, cols]`. What is computed beside a
/// product changes no bit of it.
pub fn dot_products(weights: WeightRows<'_>, rows: Range<usize>, x: &[f32]) -> Vec<f32> {
    let m_count = x.len() / weights.cols();
    let mut sums = vec![0.0; rows.len() * m_count];
    if sums.is_empty() {
        return sums;
    }
    let threads = threads_for(sums.len() * weights.cols(), ALL_THREADS);
    let piece = pieces_of(rows.len(), threads).next_multiple_of(PAIR);
    let pieces = sums.chunks_mut(piece * m_count).enumerate();
    spread(threads, pieces, |(number, sums)| rows_from(weights, rows.start + number * piece, x, sums, m_count));
    sums
}

/// `sums` of the weight rows from `first` on.
fn rows_from(weights: WeightRows<'_>, first: usize, x: &[f32], sums: &mut [f32], m_count: usize) {
    let cols = weights.cols();
    let mut unpacked = vec![0.0; PAIR * cols];
    for (pair, sums) in sums.chunks_mut(PAIR * m_count).enumerate() {
        let rows = sums.len() / m_count;
        for (row, out) in unpacked.chunks_exact_mut(cols).take(rows).enumerate() {
            weights.dequantise(first + PAIR * pair + row, out);
        }
        // Where only one row is left, the products of the other are dropped.
        let (a, b) = unpacked.split_at(cols);
        let mut put =
            |m: usize, products: [f32; PAIR]| (0..rows).for_each(|row| sums[row * m_count + m] = products[row]);
        let pairs = x.chunks_exact(PAIR * cols);
        let last = pairs.remainder();
        for (m, x) in pairs.enumerate() {
            let [p, q] = products_of_two([a, b], x.split_at(cols).into());
            put(PAIR * m, p);
            put(PAIR * m + 1, q);
        }
        if !last.is_empty() {
            put(m_count - 1, products_of_one([a, b], last));
        }
    }
}

/// Finishes `sums` (`[rows, m_count]`, from [`dot_products`]) into `out`: row `m` begins at `m * stride + offset`.
pub fn finish(sums: &[f32], bias: Option<BiasRows<'_>>, epilogue: Epilogue, m_count: usize, out: Strided<'_>) {
    let Strided { values: out, stride, offset } = out;
    let rows = sums.len().checked_div(m_count).unwrap_or(0);
    let sum = |n: usize, m: usize| sums[n * m_count + m] + bias.map_or(0.0, |bias| bias.row(m)[n]);
    for m in 0..m_count {
        let out = &mut out[m * stride + offset..];
        match epilogue {
            Epilogue::Store => (0..rows).for_each(|n| out[n] = sum(n, m)),
            Epilogue::Add => (0..rows).for_each(|n| out[n] += sum(n, m)),
            Epilogue::Scale(factor) => (0..rows).for_each(|n| out[n] = factor * sum(n, m)),
            Epilogue::AddScaled(factor) => (0..rows).for_each(|n| out[n] += factor * sum(n, m)),
            Epilogue::Cap(cap) => (0..rows).for_each(|n| out[n] = cap * (sum(n, m) / cap).tanh()),
            Epilogue::Activate(activation) => (0..rows).for_each(|n| out[n] = activate(sum(n, m), activation)),
            Epilogue::Gated(activation) => {
                (0..rows / 2).for_each(|n| out[n] = gate_one(sum(n, m), sum(n + rows / 2, m), activation))
            }
        }
    }
}

/// What is added to products of each row of x.
#[derive(Debug, Clone, Copy)]
pub struct BiasRows<'a> {
    /// A value a weight row; as often as there are rows of x, where these have their own.
    pub values: &'a [f32],
    /// Values from one row of x to the next: 0 where all have the same.
    pub stride: usize,
}

impl<'a> BiasRows<'a> {
    /// For the rows of x from `first` on.
    pub fn behind(&self, first: usize) -> BiasRows<'a> {
        BiasRows { values: self.row(first), stride: self.stride }
    }

    /// For row `m` of x.
    pub fn row(&self, m: usize) -> &'a [f32] {
        &self.values[m * self.stride..]
    }
}

/// Rows within wider rows.
pub struct Strided<'a> {
    /// The values.
    pub values: &'a mut [f32],
    /// Values from one row to the next.
    pub stride: usize,
    /// Values before the first of a row.
    pub offset: usize,
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::kernels::verify::random_f32s;
    use inglenook_format::quant::{Planes, WeightType, laid_out_for_cpu, random_blocks, repack};

    #[test]
    fn dot_products_do_not_depend_on_companions_in_any_type() {
        // Odd numbers of weight rows and of rows of x; the last shape is spread over threads where there are some.
        for (ty, n, k) in WeightType::ALL.into_iter().map(|ty| (ty, 5, 768)).chain([(WeightType::Q4_K, 2051, 512)]) {
            let mut planes = Planes::default();
            repack(ty, &random_blocks(ty, 1, n * k / ty.block_len(), 0.5), 0, &mut planes).unwrap();
            let planes = laid_out_for_cpu(ty, k / ty.block_len(), planes);
            let weights = WeightRows::new(ty, k, planes.as_ref());
            let x: Vec<f32> = random_f32s(2, 9 * k as u32).into_iter().map(f32::from_bits).collect();
            let alone: Vec<Vec<f32>> = x.chunks_exact(k).map(|x| dot_products(weights, 0..n, x)).collect();
            for m_count in 2..=9 {
                let together = dot_products(weights, 0..n, &x[..m_count * k]);
                for (m, alone) in alone.iter().take(m_count).enumerate() {
                    let found: Vec<f32> = together.iter().skip(m).step_by(m_count).copied().collect();
                    assert!(
                        found.iter().zip(alone).all(|(f, a)| f.to_bits() == a.to_bits()),
                        "{ty} row {m} of {m_count}"
                    );
                }
            }
        }
    }
}
