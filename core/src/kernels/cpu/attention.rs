//! Twin of `shaders/attention_*.wgsl`.

use super::kv::load;
use super::matmul::dot;
use crate::kernels::attention::AttentionShape;
use crate::kernels::batch::Row;
use crate::kernels::kv::KvShape;

/// Causal attention of each row over its own sequence: `out` is `[rows, heads, head_dim]`, or the parts that
/// [`attention_reduce`] joins. `q` is `[rows, qkv_width]`. Rows without a place in the cache are left alone.
pub fn attention(
    rows: &[Row],
    q: &[f32],
    (keys, values, pages): (&[u32], &[u32], &[u32]),
    sinks: Option<&[f32]>,
    out: &mut [f32],
    (shape, kv): (&AttentionShape, &KvShape),
) {
    let (dim, heads, kv_splits) = (kv.head_dim as usize, shape.heads as usize, shape.kv_splits as usize);
    let group = shape.heads / kv.kv_heads;
    let part = shape.part_floats(kv) as usize;
    for (r, row) in rows.iter().enumerate().filter(|(_, row)| kv.has_place(row)) {
        let table = &pages[(row.sequence * kv.pages_per_sequence) as usize..];
        let visible: Vec<u32> = shape.visible(row.position).collect();
        let share = visible.len().div_ceil(kv_splits);
        for head in 0..heads {
            let query = &q[r * shape.qkv_width as usize + head * dim..][..dim];
            let places = |position: &u32| kv.word(table, head as u32 / group, *position);
            let outs = out[(r * heads + head) * kv_splits * part..].chunks_exact_mut(part);
            let shares = visible.chunks(share).map(Some).chain(std::iter::repeat(None));
            for (split, (out, share)) in outs.zip(shares).take(kv_splits).enumerate() {
                let places: Vec<usize> = share.unwrap_or_default().iter().map(places).collect();
                // The sink is the first split's.
                let sink = sinks.filter(|_| split == 0).map(|sinks| sinks[head]);
                let (highest, total) = attend(query, (keys, values), &places, sink, &mut out[..dim], (shape.scale, kv));
                if kv_splits == 1 {
                    out.iter_mut().for_each(|o| *o /= total);
                } else {
                    out[dim..dim + 2].copy_from_slice(&[highest, total]);
                }
            }
        }
    }
}

/// The unnormalised sum of the values at `places`, and the maximal score and the sum of weights behind it.
fn attend(
    query: &[f32],
    (keys, values): (&[u32], &[u32]),
    places: &[usize],
    sink: Option<f32>,
    out: &mut [f32],
    (scale, kv): (f32, &KvShape),
) -> (f32, f32) {
    let mut vector = vec![0.0; query.len()];
    let mut score = |place: &usize| {
        load(keys, kv, *place, &mut vector);
        dot(query, &vector) * scale
    };
    let scores: Vec<f32> = places.iter().map(&mut score).collect();
    let highest = scores.iter().copied().chain(sink).fold(-3.0e38, f32::max);
    let mut total = sink.map_or(0.0, |sink| (sink - highest).exp());
    out.fill(0.0);
    for (place, score) in places.iter().zip(&scores) {
        let weight = (score - highest).exp();
        total += weight;
        load(values, kv, *place, &mut vector);
        out.iter_mut().zip(&vector).for_each(|(o, v)| *o += weight * v);
    }
    (highest, total)
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
