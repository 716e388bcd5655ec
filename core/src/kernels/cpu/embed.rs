//! Twin of `shaders/embed.wgsl`.

use std::ops::Range;

use super::WeightRows;
use crate::kernels::batch::Row;
use crate::kernels::embed::Lookup;

/// `out[r] = table[token of row r] * scale`, where `table` holds the embeddings of `tokens`. Rows of other tokens become
/// zeros where `tokens` begins at 0, and are left alone elsewhere, as finished rows are. By another lookup, what is found is added.
pub fn embed(rows: &[Row], table: WeightRows<'_>, tokens: Range<u32>, (scale, by): (f32, Lookup), out: &mut [f32]) {
    let mut found = vec![0.0; table.cols()];
    for (row, out) in rows.iter().zip(out.chunks_exact_mut(table.cols())) {
        if row.is_finished() {
            continue;
        }
        let wanted = match by {
            Lookup::Token => row.token,
            Lookup::Position => row.position,
            Lookup::First => 0,
        };
        if tokens.contains(&wanted) {
            table.dequantise((wanted - tokens.start) as usize, &mut found);
            let found = found.iter().map(|v| v * scale);
            match by {
                Lookup::Token => out.iter_mut().zip(found).for_each(|(out, v)| *out = v),
                _ => out.iter_mut().zip(found).for_each(|(out, v)| *out += v),
            }
        } else if tokens.start == 0 && by == Lookup::Token {
            out.fill(0.0);
        }
    }
}
