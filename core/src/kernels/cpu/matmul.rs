//! Twin of the matmul kernels, for few rows and for many.

#[cfg(not(target_arch = "wasm32"))]
use std::sync::{LazyLock, Mutex, PoisonError};

use super::{WeightRows, activate};
use crate::kernels::matmul::Epilogue;

/// Multiplications below which a second thread costs more than it brings.
#[cfg(not(target_arch = "wasm32"))]
const WORK_OF_A_THREAD: usize = 1 << 20;

/// Pieces of work for each thread, so that one which the system holds up leaves the rest to the others.
#[cfg(not(target_arch = "wasm32"))]
const PIECES_OF_A_THREAD: usize = 4;

/// Threads at most. The system is asked once: its answer comes out of several files.
#[cfg(not(target_arch = "wasm32"))]
static MOST_THREADS: LazyLock<usize> = LazyLock::new(|| std::thread::available_parallelism().map_or(1, usize::from));

/// Weight rows that are unpacked at a time, and rows of x that meet them together: a number that is loaded serves two products.
const PAIR: usize = 2;

/// Sums of one dot product, so that the compiler may use vector registers.
const LANES: usize = 8;

/// `sums[n * m_count + m] = weights[n] · x[m]` for the first `rows` weight rows; `x`: `[m_count, cols]`. What is computed beside a
/// product changes no bit of it.
pub fn dot_products(weights: WeightRows<'_>, rows: usize, x: &[f32]) -> Vec<f32> {
    let m_count = x.len() / weights.cols();
    let mut sums = vec![0.0; rows * m_count];
    if !sums.is_empty() {
        spread_over_threads(weights, x, &mut sums, m_count);
    }
    sums
}

#[cfg(not(target_arch = "wasm32"))]
fn spread_over_threads(weights: WeightRows<'_>, x: &[f32], sums: &mut [f32], m_count: usize) {
    let threads = (sums.len() * weights.cols() / WORK_OF_A_THREAD).clamp(1, *MOST_THREADS);
    if threads == 1 {
        return rows_from(weights, 0, x, sums, m_count);
    }
    let rows = (sums.len() / m_count).div_ceil(threads * PIECES_OF_A_THREAD).next_multiple_of(PAIR);
    let pieces = Mutex::new(sums.chunks_mut(rows * m_count).enumerate());
    let next = || pieces.lock().unwrap_or_else(PoisonError::into_inner).next();
    let work = || {
        while let Some((number, sums)) = next() {
            rows_from(weights, number * rows, x, sums, m_count);
        }
    };
    std::thread::scope(|scope| {
        (1..threads).for_each(|_| {
            scope.spawn(work);
        });
        work();
    });
}

#[cfg(target_arch = "wasm32")]
fn spread_over_threads(weights: WeightRows<'_>, x: &[f32], sums: &mut [f32], m_count: usize) {
    rows_from(weights, 0, x, sums, m_count);
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
            let (p, q) = x.split_at(cols);
            let [p, q] = products([a, b], [p, q]);
            put(PAIR * m, p);
            put(PAIR * m + 1, q);
        }
        if !last.is_empty() {
            let [products] = products([a, b], [last]);
            put(m_count - 1, products);
        }
    }
}

/// The dot products of each row of `x` with each of two weight rows. Columns are a multiple of 32.
fn products<const X: usize>(weights: [&[f32]; PAIR], x: [&[f32]; X]) -> [[f32; PAIR]; X] {
    let (weights, x) = (weights.map(|row| row.as_chunks::<LANES>().0), x.map(|row| row.as_chunks::<LANES>().0));
    let len = weights[0].len();
    let (weights, x) = (weights.map(|row| &row[..len]), x.map(|row| &row[..len]));
    let mut sums = [[[0.0; LANES]; PAIR]; X];
    for k in 0..len {
        for j in 0..X {
            for i in 0..PAIR {
                for lane in 0..LANES {
                    sums[j][i][lane] += weights[i][k][lane] * x[j][k][lane];
                }
            }
        }
    }
    sums.map(|of_x| of_x.map(|lanes| lanes.iter().sum()))
}

/// In sixteen sums, so that the compiler may use vector registers.
pub(super) fn dot(a: &[f32], b: &[f32]) -> f32 {
    let mut sums = [0f32; 16];
    let ((a, a_rest), (b, b_rest)) = (a.as_chunks::<16>(), b.as_chunks::<16>());
    for (a, b) in a.iter().zip(b) {
        for i in 0..16 {
            sums[i] += a[i] * b[i];
        }
    }
    let rest: f32 = a_rest.iter().zip(b_rest).map(|(a, b)| a * b).sum();
    sums.iter().sum::<f32>() + rest
}

/// Finishes `sums` (`[rows, m_count]`, from [`dot_products`]) into `out`: row `m` begins at `m * stride + offset`.
pub fn finish(sums: &[f32], bias: Option<&[f32]>, epilogue: Epilogue, m_count: usize, out: Strided<'_>) {
    let Strided { values: out, stride, offset } = out;
    let rows = sums.len().checked_div(m_count).unwrap_or(0);
    let sum = |n: usize, m: usize| sums[n * m_count + m] + bias.map_or(0.0, |bias| bias[n]);
    for m in 0..m_count {
        let out = &mut out[m * stride + offset..];
        match epilogue {
            Epilogue::Store => (0..rows).for_each(|n| out[n] = sum(n, m)),
            Epilogue::Add => (0..rows).for_each(|n| out[n] += sum(n, m)),
            Epilogue::Gated(activation) => {
                (0..rows / 2).for_each(|n| out[n] = activate(sum(n, m), activation) * sum(n + rows / 2, m))
            }
        }
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
    use inglenook_format::quant::{Planes, WeightType, random_blocks, repack};

    #[test]
    fn dot_products_do_not_depend_on_companions_in_any_type() {
        // Odd numbers of weight rows and of rows of x; the last shape is spread over threads where there are some.
        for (ty, n, k) in WeightType::ALL.into_iter().map(|ty| (ty, 5, 768)).chain([(WeightType::Q4_K, 2051, 512)]) {
            let mut planes = Planes::default();
            repack(ty, &random_blocks(ty, 1, n * k / ty.block_len(), 0.5), 0, &mut planes).unwrap();
            let weights = WeightRows::new(ty, k, planes.as_ref());
            let x: Vec<f32> = random_f32s(2, 9 * k as u32).into_iter().map(f32::from_bits).collect();
            let alone: Vec<Vec<f32>> = x.chunks_exact(k).map(|x| dot_products(weights, n, x)).collect();
            for m_count in 2..=9 {
                let together = dot_products(weights, n, &x[..m_count * k]);
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
