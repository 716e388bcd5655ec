//! Twin of `shaders/attention_*.wgsl`.

use super::fast::{FastWay, fast_attend};
use super::kv::load_from;
use super::products::dot;
use super::threads::{ALL_THREADS, spread, threads_for};
use crate::kernels::attention::AttentionShape;
use crate::kernels::batch::Row;
use crate::kernels::kv::KvShape;

/// Causal attention of each row over its own sequence: `out` is `[rows, heads, head_dim]`, or the parts that
/// [`attention_reduce`] joins. `q` is `[rows, qkv_width]`. Rows without a place in the cache are left alone.
/// Computed the fast way where there is one for the cache.
pub fn attention(
    rows: &[Row],
    q: &[f32],
    (segments, pages): (&[&[u32]], &[u32]),
    sinks: Option<&[f32]>,
    out: &mut [f32],
    (shape, kv): (&AttentionShape, &KvShape),
    way: Option<FastWay>,
) {
    let (dim, heads, kv_splits) = (kv.head_dim as usize, shape.heads as usize, shape.kv_splits as usize);
    let group = heads / kv.kv_heads as usize;
    let part = shape.part_floats(kv) as usize;
    let visible = |row: &Row| shape.visible(row.position);
    let products: usize =
        rows.iter().filter(|row| kv.has_place(row)).map(|row| visible(row).count() * 2 * heads * dim).sum();
    // A piece is the query heads of a row that share a key head, and with it every vector of the cache that is unpacked.
    let groups = out[..rows.len() * heads * kv_splits * part].chunks_mut(group * kv_splits * part).enumerate();
    let threads = way.map_or(ALL_THREADS, |way| way.threads);
    spread(threads_for(products, threads), groups, |(number, out)| {
        let (r, kv_head) = (number / kv.kv_heads as usize, number % kv.kv_heads as usize);
        let row = &rows[r];
        if !kv.has_place(row) {
            return;
        }
        let table = &pages[(row.sequence * kv.pages_per_sequence) as usize..];
        let places: Vec<usize> = visible(row).map(|position| kv.key_word(table, kv_head as u32, position)).collect();
        let share = places.len().div_ceil(kv_splits);
        let first_head = kv_head * group;
        let queries = &q[r * shape.qkv_width as usize + first_head * dim..][..group * dim];
        for split in 0..kv_splits {
            let places = places.chunks(share).nth(split).unwrap_or_default();
            // The sink is the first split's.
            let sinks = sinks.filter(|_| split == 0).map(|sinks| &sinks[first_head..][..group]);
            let mut outs: Vec<&mut [f32]> = out.chunks_exact_mut(part).skip(split).step_by(kv_splits).collect();
            let question = Question { queries, places, sinks, scale: shape.scale };
            let fast = way.and_then(|way| fast_attend(way.processor, &question, segments, kv, &mut outs));
            let ends = fast.unwrap_or_else(|| attend(&question, segments, kv, &mut outs));
            for (out, (highest, total)) in outs.into_iter().zip(ends) {
                if kv_splits == 1 {
                    out.iter_mut().for_each(|o| *o /= total);
                } else {
                    out[dim..dim + 2].copy_from_slice(&[highest, total]);
                }
            }
        }
    });
}

/// What the query heads of one key head ask of the cache.
pub struct Question<'a> {
    /// `[heads, head_dim]`.
    pub queries: &'a [f32],
    /// The words at which visible keys begin.
    pub places: &'a [usize],
    /// A further score of each head, without a value.
    pub sinks: Option<&'a [f32]>,
    /// What scores are multiplied by.
    pub scale: f32,
}

/// For each query the unnormalised sum of the values, in the front of its `outs`; gives the maximal score and the sum of weights behind it.
pub fn attend(
    &Question { queries, places, sinks, scale }: &Question<'_>,
    segments: &[&[u32]],
    kv: &KvShape,
    outs: &mut [&mut [f32]],
) -> Vec<(f32, f32)> {
    let dim = kv.head_dim as usize;
    let mut vectors = vec![0.0; AT_ONCE * dim];
    // `[query, place]`
    let mut scores = vec![0.0; outs.len() * places.len()];
    for (p, place) in places.iter().enumerate() {
        let vector = &mut vectors[..dim];
        load_from(segments, kv, *place, vector);
        for (g, query) in queries.chunks_exact(dim).enumerate() {
            scores[g * places.len() + p] = dot(query, vector) * scale;
        }
    }
    let mut ends = Vec::with_capacity(outs.len());
    for (g, out) in outs.iter_mut().enumerate() {
        let sink = sinks.map(|sinks| sinks[g]);
        let scores = &mut scores[g * places.len()..][..places.len()];
        let highest = scores.iter().copied().chain(sink).fold(-3.0e38, f32::max);
        let mut total = sink.map_or(0.0, |sink| (sink - highest).exp());
        // From here on they are weights.
        for score in scores {
            *score = (*score - highest).exp();
            total += *score;
        }
        out[..dim].fill(0.0);
        ends.push((highest, total));
    }
    for (run, several) in places.chunks(AT_ONCE).enumerate() {
        for (place, vector) in several.iter().zip(vectors.chunks_exact_mut(dim)) {
            load_from(segments, kv, kv.value_word(*place), vector);
        }
        for (g, out) in outs.iter_mut().enumerate() {
            let weights = &scores[g * places.len() + run * AT_ONCE..][..several.len()];
            match weights.first_chunk::<AT_ONCE>() {
                Some(weights) => add_weighted(&mut out[..dim], weights, &vectors),
                None => weights
                    .iter()
                    .zip(vectors.chunks_exact(dim))
                    .for_each(|(weight, vector)| add_weighted(&mut out[..dim], &[*weight], vector)),
            }
        }
    }
    ends
}

/// Values that are added at once, so that the sum is read and written once for all of them.
const AT_ONCE: usize = 4;

/// Adds `vectors`, one behind the other, each by its weight.
fn add_weighted<const N: usize>(out: &mut [f32], weights: &[f32; N], vectors: &[f32]) {
    let dim = out.len();
    let vectors: [&[f32]; N] = std::array::from_fn(|n| &vectors[n * dim..][..dim]);
    for (d, out) in out.iter_mut().enumerate() {
        for (weight, vector) in weights.iter().zip(vectors) {
            *out += weight * vector[d];
        }
    }
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
