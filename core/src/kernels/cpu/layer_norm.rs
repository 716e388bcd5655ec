//! Twin of `shaders/layer_norm.wgsl`.

/// `out[r] = (x[r] - mean) / sqrt(variance + eps) * weight + bias` for the rows of `x`: `[rows, cols]`; `weight`, `bias`: `[cols]`.
pub fn layer_norm(x: &[f32], weight: &[f32], bias: Option<&[f32]>, out: &mut [f32], eps: f32) {
    let cols = weight.len();
    for (x, out) in x.chunks_exact(cols).zip(out.chunks_exact_mut(cols)) {
        let mean = x.iter().sum::<f32>() / cols as f32;
        let variance = x.iter().map(|v| (v - mean) * (v - mean)).sum::<f32>() / cols as f32;
        let scale = 1.0 / (variance + eps).sqrt();
        for ((out, x), weight) in out.iter_mut().zip(x).zip(weight) {
            *out = (x - mean) * scale * weight;
        }
        if let Some(bias) = bias {
            out.iter_mut().zip(bias).for_each(|(out, bias)| *out += bias);
        }
    }
}
