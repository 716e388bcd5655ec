//! Twin of `shaders/row_scale.wgsl`.

/// Gives a row the root mean square of another.
pub fn scale_like(row: &mut [f32], like: &[f32]) {
    let mean_square = |row: &[f32]| row.iter().map(|v| v * v).sum::<f32>() / row.len() as f32;
    let factor = mean_square(like).sqrt() / mean_square(row).max(1e-5).sqrt();
    row.iter_mut().for_each(|v| *v *= factor);
}

/// Leaves of a row what lies so many standard deviations above its mean, by how much it does.
pub fn keep_outstanding(row: &mut [f32], deviations: f32) {
    let mean = row.iter().sum::<f32>() / row.len() as f32;
    let variance = row.iter().map(|v| (v - mean) * (v - mean)).sum::<f32>() / row.len() as f32;
    let least = mean + deviations * variance.sqrt();
    row.iter_mut().for_each(|v| *v = (*v - least).max(0.0));
}
