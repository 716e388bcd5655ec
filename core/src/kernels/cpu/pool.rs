//! Twin of `shaders/pool.wgsl`.

use crate::kernels::batch::Row;

/// The mean of the rows of `x`, of `cols` columns, from each row's `token` to its `position`: `out` is `[rows, cols]`.
pub fn pool(rows: &[Row], x: &[f32], cols: usize, out: &mut [f32]) {
    for (row, out) in rows.iter().zip(out.chunks_exact_mut(cols)) {
        let (first, last) = (row.token as usize, row.position as usize);
        out.fill(0.0);
        for x in x[first * cols..(last + 1) * cols].chunks_exact(cols) {
            out.iter_mut().zip(x).for_each(|(out, x)| *out += x);
        }
        let count = (last + 1 - first) as f32;
        out.iter_mut().for_each(|out| *out /= count);
    }
}
