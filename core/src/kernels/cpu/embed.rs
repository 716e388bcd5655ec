//! Twin of `shaders/embed.wgsl`.

use super::WeightRows;

/// `out[r] = table[tokens[r] - first] * scale` for the tokens `first..first + rows`; other rows of `out` stay as they are.
pub fn embed(tokens: &[u32], table: WeightRows<'_>, first: u32, rows: u32, scale: f32, out: &mut [f32]) {
    for (token, out) in tokens.iter().zip(out.chunks_exact_mut(table.cols())) {
        let Some(row) = token.checked_sub(first).filter(|row| *row < rows) else { continue };
        table.dequantise(row as usize, out);
        out.iter_mut().for_each(|v| *v *= scale);
    }
}
