//! What adapters add to a product.

/// Sums that a product is added up in, so that it is computed in vectors.
const SUMS: usize = 16;

/// `out[c] = scales[c] · (a[c] · x)` for a row of x; `a`: `[scales.len(), x.len()]`. 0 where the scale is.
pub fn lora_down(x: &[f32], a: &[f32], scales: &[f32], out: &mut [f32]) {
    for ((a, scale), out) in a.chunks_exact(x.len()).zip(scales).zip(out) {
        *out = if *scale == 0.0 { 0.0 } else { scale * dot(a, x) };
    }
}

/// `out += Σ x[c] · b[c]`, for a row of x and a row of `b` for each of its columns. Those that are 0 count for nothing.
pub fn lora_up<'b>(x: &[f32], b: impl Iterator<Item = &'b [f32]>, out: &mut [f32]) {
    for (x, b) in x.iter().zip(b).filter(|(x, _)| **x != 0.0) {
        out.iter_mut().zip(b).for_each(|(out, b)| *out += x * b);
    }
}

fn dot(a: &[f32], b: &[f32]) -> f32 {
    let mut sums = [0.0; SUMS];
    let ((a, a_rest), (b, b_rest)) = (a.as_chunks::<SUMS>(), b.as_chunks::<SUMS>());
    for (a, b) in a.iter().zip(b) {
        for i in 0..SUMS {
            sums[i] += a[i] * b[i];
        }
    }
    let rest: f32 = a_rest.iter().zip(b_rest).map(|(a, b)| a * b).sum();
    sums.iter().sum::<f32>() + rest
}
