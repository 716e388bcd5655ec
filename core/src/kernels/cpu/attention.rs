//! Twin of `shaders/attention_*.wgsl`.

use super::kv::load;
use crate::kernels::attention::AttentionShape;
use crate::kernels::batch::Row;
use crate::kernels::kv::KvShape;

/// Causal attention of each row over its own sequence: `out` is `[rows, heads, head_dim]`, or the parts that
/// [`attention_reduce`] joins. `q` is `[rows, qkv_width]`. Rows without a place in the cache are left alone.
pub fn attention(
    rows: &[Row],
    q: &[f32],
    (keys, values, pages): (&[u32], &[u32], &[u32]),
    out: &mut [f32],
    (shape, kv): (&AttentionShape, &KvShape),
) {
    let dim = kv.head_dim as usize;
    let group = shape.heads / kv.kv_heads;
    let part = shape.part_floats(kv) as usize;
    let mut vector = vec![0.0; dim];
    for (r, row) in rows.iter().enumerate().filter(|(_, row)| kv.has_place(row)) {
        let table = &pages[(row.sequence * kv.pages_per_sequence) as usize..];
        for head in 0..shape.heads as usize {
            let query = &q[r * shape.qkv_width as usize + head * dim..][..dim];
            let at = |position| kv.word(table, head as u32 / group, position);
            for split in 0..shape.kv_splits {
                let index = (r * shape.heads as usize + head) * shape.kv_splits as usize + split as usize;
                let share = (row.position + 1).div_ceil(shape.kv_splits);
                let positions = (split * share).min(row.position + 1)..((split + 1) * share).min(row.position + 1);
                let mut score = |position| {
                    load(keys, kv, at(position), &mut vector);
                    dot(query, &vector) * shape.scale
                };
                let scores: Vec<f32> = positions.clone().map(&mut score).collect();
                let highest = scores.iter().copied().fold(-3.0e38, f32::max);
                let weights: Vec<f32> = scores.iter().map(|score| (score - highest).exp()).collect();
                let total: f32 = weights.iter().sum();
                let out = &mut out[index * part..][..part];
                out.fill(0.0);
                for (p, weight) in positions.zip(&weights) {
                    load(values, kv, at(p), &mut vector);
                    out.iter_mut().zip(&vector).for_each(|(o, v)| *o += weight * v);
                }
                if shape.kv_splits == 1 {
                    out.iter_mut().for_each(|o| *o /= total);
                } else {
                    out[dim..dim + 2].copy_from_slice(&[highest, total]);
                }
            }
        }
    }
}

fn dot(a: &[f32], b: &[f32]) -> f32 {
    a.iter().zip(b).map(|(a, b)| a * b).sum()
}

/// Joins `kv_splits` parts of `dim + 4` floats for each of `heads` heads of each row. Finished rows are left alone.
pub fn attention_reduce(rows: &[Row], parts: &[f32], out: &mut [f32], (heads, dim, kv_splits): (usize, usize, usize)) {
    let heads_of_rows = parts.chunks_exact(kv_splits * (dim + 4)).zip(out.chunks_exact_mut(dim));
    let rows = rows.iter().flat_map(|row| std::iter::repeat_n(row, heads));
    for ((parts, out), _) in heads_of_rows.zip(rows).filter(|(_, row)| !row.is_finished()) {
        let highest = parts.chunks_exact(dim + 4).map(|part| part[dim]).fold(f32::MIN, f32::max);
        let total: f32 = parts.chunks_exact(dim + 4).map(|part| (part[dim] - highest).exp() * part[dim + 1]).sum();
        out.fill(0.0);
        for part in parts.chunks_exact(dim + 4) {
            let weight = (part[dim] - highest).exp() / total;
            out.iter_mut().zip(part).for_each(|(o, v)| *o += weight * v);
        }
    }
}
