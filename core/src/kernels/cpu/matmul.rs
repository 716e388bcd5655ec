//! Twin of the matmul kernels, for few rows and for many.

use super::{WeightRows, activate};
use crate::kernels::matmul::Epilogue;

/// Multiplications below which a second thread costs more than it brings.
#[cfg(not(target_arch = "wasm32"))]
const WORK_OF_A_THREAD: usize = 1 << 20;

/// `sums[n * m_count + m] = weights[n] · x[m]` for the first `rows` weight rows; `x`: `[m_count, cols]`.
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
    let most = std::thread::available_parallelism().map_or(1, usize::from);
    let threads = (sums.len() * weights.cols() / WORK_OF_A_THREAD).clamp(1, most);
    let share = (sums.len() / m_count).div_ceil(threads);
    std::thread::scope(|scope| {
        let mut shares = sums.chunks_mut(share * m_count).enumerate();
        let own = shares.next();
        for (number, sums) in shares {
            scope.spawn(move || rows_from(weights, number * share, x, sums, m_count));
        }
        if let Some((_, sums)) = own {
            rows_from(weights, 0, x, sums, m_count);
        }
    });
}

#[cfg(target_arch = "wasm32")]
fn spread_over_threads(weights: WeightRows<'_>, x: &[f32], sums: &mut [f32], m_count: usize) {
    rows_from(weights, 0, x, sums, m_count);
}

fn rows_from(weights: WeightRows<'_>, first: usize, x: &[f32], sums: &mut [f32], m_count: usize) {
    let mut row = vec![0.0; weights.cols()];
    for (n, sums) in sums.chunks_exact_mut(m_count).enumerate() {
        weights.dequantise(first + n, &mut row);
        for (sum, x) in sums.iter_mut().zip(x.chunks_exact(row.len())) {
            *sum = dot(&row, x);
        }
    }
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
