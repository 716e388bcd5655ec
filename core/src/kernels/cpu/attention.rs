//! Twin of `shaders/attention_*.wgsl`.

use std::ops::Range;

use super::fast::{FastWay, fast_attend};
use super::kv::load_from;
use super::products::dot;
use super::threads::{ALL_THREADS, spread, threads_for};
use crate::kernels::attention::AttentionShape;
use crate::kernels::batch::Row;
use crate::kernels::kv::KvShape;

/// Attention of each row over what it sees of its own sequence: `out` is `[rows, heads, head_dim]`, or the parts that
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
    let group = (shape.heads / kv.kv_heads) as usize;
    let products: usize = rows
        .iter()
        .filter(|row| kv.has_place(row))
        .map(|row| shape.visible(row).count() * 2 * (shape.heads * kv.head_dim) as usize)
        .sum();
    let most = if way.is_some() && shape.kv_splits == 1 { QUERIES_OF_A_TILE.div_ceil(group) } else { 1 };
    let threads = way.map_or(ALL_THREADS, |way| way.threads);
    spread(threads_for(products, threads), tiles(rows, out, (shape, kv), most).into_iter(), |tile| {
        tile.answer(rows, q, (segments, pages), sinks, (shape, kv), way);
    });
}

/// Query heads that are answered at once where there is a fast way: enough that unpacking what they share is a small part.
const QUERIES_OF_A_TILE: usize = 64;

/// The query heads of some rows that share a key head, and with it every vector of the cache that is unpacked; their answers are
/// `[rows, heads, kv_splits]`.
struct Tile<'o> {
    rows: Range<usize>,
    kv_head: u32,
    outs: Vec<&'o mut [f32]>,
}

/// Neighbouring rows, `most` at a time, where they see one range of positions of a sequence; for each key head a tile.
fn tiles<'o>(rows: &[Row], out: &'o mut [f32], (shape, kv): (&AttentionShape, &KvShape), most: usize) -> Vec<Tile<'o>> {
    let joins = |row: &Row, next: &Row| {
        let follows = row.sequence == next.sequence
            && row.position + 1 == next.position
            && shape.horizon(row) <= shape.horizon(next);
        follows && shape.keep == 0 && kv.has_place(row) && kv.has_place(next)
    };
    let mut tiles: Vec<Tile<'_>> = Vec::new();
    let parts_of_head = (shape.heads / kv.kv_heads * shape.kv_splits) as usize;
    let mut parts = out.chunks_exact_mut(shape.part_floats(kv) as usize);
    for r in 0..rows.len() {
        let start = match tiles.last() {
            Some(tile) if tile.rows.len() < most && joins(&rows[r - 1], &rows[r]) => tiles.len() - kv.kv_heads as usize,
            _ => {
                let tile = |kv_head| Tile { rows: r..r, kv_head, outs: Vec::new() };
                tiles.extend((0..kv.kv_heads).map(tile));
                tiles.len() - kv.kv_heads as usize
            }
        };
        for tile in &mut tiles[start..] {
            tile.rows.end = r + 1;
            tile.outs.extend(parts.by_ref().take(parts_of_head));
        }
    }
    tiles.retain(|tile| kv.has_place(&rows[tile.rows.start]));
    tiles
}

impl Tile<'_> {
    fn answer(
        self,
        rows: &[Row],
        q: &[f32],
        (segments, pages): (&[&[u32]], &[u32]),
        sinks: Option<&[f32]>,
        (shape, kv): (&AttentionShape, &KvShape),
        way: Option<FastWay>,
    ) {
        let (dim, group, kv_splits) =
            (kv.head_dim as usize, (shape.heads / kv.kv_heads) as usize, shape.kv_splits as usize);
        let Tile { rows: numbers, kv_head, mut outs } = self;
        let rows = &rows[numbers.clone()];
        let table = &pages[(rows[0].sequence * kv.pages_per_sequence) as usize..];
        // What all rows see: the positions from the first one's first on, to the last one's last.
        let horizon = shape.horizon(&rows[0]);
        let further = horizon + 1..=shape.horizon(&rows[rows.len() - 1]);
        let positions: Vec<u32> = shape.visible(&rows[0]).chain(further).collect();
        let places: Vec<usize> = positions.iter().map(|position| kv.key_word(table, kv_head, *position)).collect();
        let first_head = kv_head as usize * group;
        let mut queries = Vec::with_capacity(rows.len() * group * dim);
        numbers.for_each(|r| {
            queries.extend_from_slice(&q[r * shape.qkv_width as usize + first_head * dim..][..group * dim]);
        });
        let sinks = sinks.map(|sinks| &sinks[first_head..][..group]);
        let first = shape.visible(&rows[0]).count();
        let end = |row: &Row| first + (shape.horizon(row) - horizon) as usize;
        let seen: Vec<_> = rows.iter().map(|row| end(row) - shape.visible(row).count()..end(row)).collect();
        let share = places.len().div_ceil(kv_splits).max(1);
        let slopes: Vec<f32> = (first_head..first_head + group).map(|head| shape.slope(head as u32)).collect();
        let own: Vec<u32> = rows.iter().map(|row| row.position).collect();
        for split in 0..kv_splits {
            let places = places.chunks(share).nth(split).unwrap_or_default();
            let positions = positions.chunks(share).nth(split).unwrap_or_default();
            let bias = shape.max_bias.map(|_| Bias { slopes: &slopes, places: positions, rows: &own });
            // Several rows are in a tile only where their answers are not split.
            let all = 0..places.len();
            let seen = if kv_splits == 1 { &seen[..] } else { std::slice::from_ref(&all) };
            // The sink is the first split's.
            let sinks = sinks.filter(|_| split == 0);
            let mut outs: Vec<&mut [f32]> =
                outs.iter_mut().skip(split).step_by(kv_splits).map(|out| &mut **out).collect();
            let (scale, cap) = (shape.scale, shape.cap);
            let question = Question { queries: &queries, places, seen, sinks, scale, cap, bias };
            let ends = question.answer(segments, kv, way, &mut outs);
            for (out, (highest, total)) in outs.into_iter().zip(ends) {
                if kv_splits == 1 {
                    out.iter_mut().for_each(|o| *o /= total);
                } else {
                    out[dim..dim + 2].copy_from_slice(&[highest, total]);
                }
            }
        }
    }
}

/// What the query heads of one key head ask of the cache.
pub struct Question<'a> {
    /// `[rows, heads, head_dim]`.
    pub queries: &'a [f32],
    /// The words at which keys begin.
    pub places: &'a [usize],
    /// Which of these each row sees.
    pub seen: &'a [Range<usize>],
    /// A further score of each head, without a value.
    pub sinks: Option<&'a [f32]>,
    /// What scores are multiplied by.
    pub scale: f32,
    /// Within what they stay.
    pub cap: Option<f32>,
    /// What is taken from them.
    pub bias: Option<Bias<'a>>,
}

/// ALiBi: distances by the heads' slopes.
pub struct Bias<'a> {
    /// Of each head.
    pub slopes: &'a [f32],
    /// The position of each place.
    pub places: &'a [u32],
    /// The position of each row.
    pub rows: &'a [u32],
}

impl Question<'_> {
    fn answer(
        &self,
        segments: &[&[u32]],
        kv: &KvShape,
        way: Option<FastWay>,
        outs: &mut [&mut [f32]],
    ) -> Vec<(f32, f32)> {
        let fast = way.and_then(|way| fast_attend(way.processor, self, segments, kv, outs));
        fast.unwrap_or_else(|| {
            let heads = outs.len() / self.seen.len();
            let queries = self.queries.chunks_exact(heads * kv.head_dim as usize);
            let rows = queries.zip(self.seen).zip(outs.chunks_mut(heads)).enumerate();
            rows.flat_map(|(row, ((queries, seen), outs))| {
                let finish = |score: f32, head: usize, place: usize| {
                    let score = score * self.scale;
                    let score = self.cap.map_or(score, |cap| cap * (score / cap).tanh());
                    self.bias.as_ref().map_or(score, |Bias { slopes, places, rows }| {
                        let distance = places[seen.start + place].abs_diff(rows[row]);
                        score - slopes[head] * distance as f32
                    })
                };
                attend(queries, &self.places[seen.clone()], (self.sinks, &finish), segments, kv, outs)
            })
            .collect()
        })
    }
}

/// Makes a score of a product, given the numbers of its query and its place.
type Finish<'a> = dyn Fn(f32, usize, usize) -> f32 + 'a;

/// For each query the unnormalised sum of the values, in the front of its `outs`; gives the maximal score and the sum of weights behind it.
fn attend(
    queries: &[f32],
    places: &[usize],
    (sinks, finish): (Option<&[f32]>, &Finish<'_>),
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
            scores[g * places.len() + p] = finish(dot(query, vector), g, p);
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
