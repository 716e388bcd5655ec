//! Twin of `shaders/rms_norm.wgsl`.

/// `out[r] = x[r] / sqrt(mean(x[r]²) + eps) * weight` for the rows of `x`: `[rows, cols]`, `weight`: `[cols]`.
pub fn rms_norm(x: &[f32], weight: &[f32], out: &mut [f32], eps: f32) {
    let cols = weight.len();
    for (x, out) in x.chunks_exact(cols).zip(out.chunks_exact_mut(cols)) {
        let mean = x.iter().map(|v| v * v).sum::<f32>() / cols as f32;
        let scale = 1.0 / (mean + eps).sqrt();
        for ((out, x), weight) in out.iter_mut().zip(x).zip(weight) {
            *out = x * scale * weight;
        }
    }
}
