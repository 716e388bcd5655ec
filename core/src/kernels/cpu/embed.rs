//! Twin of `shaders/embed.wgsl`.

use std::ops::Range;

use super::WeightRows;
use crate::kernels::batch::Row;

/// `out[r] = table[token of row r] * scale`, where `table` holds the embeddings of `tokens`. Rows of other tokens become
/// zeros where `tokens` begins at 0, and are left alone elsewhere, as finished rows are.
pub fn embed(rows: &[Row], table: WeightRows<'_>, tokens: Range<u32>, scale: f32, out: &mut [f32]) {
    for (row, out) in rows.iter().zip(out.chunks_exact_mut(table.cols())) {
        if row.is_finished() {
            continue;
        }
        if tokens.contains(&row.token) {
            table.dequantise((row.token - tokens.start) as usize, out);
            out.iter_mut().for_each(|v| *v *= scale);
        } else if tokens.start == 0 {
            out.fill(0.0);
        }
    }
}
