//! Attention of several queries over vectors of a cache.
//!
//! Keys are unpacked some at a time, once for all queries, and turned so that a vector holds the same dimension of several keys: a query's
//! products with these are summed in lanes. Each score is summed dimension by dimension and each answer value by value, so that an answer
//! has the same bits whatever is computed beside it.

use std::ops::Range;

use crate::exp::{exp, tanh};
use crate::isa::{Chunk, Isa, Task};
use crate::processor::Processor;

/// Queries that meet keys at once.
const QUERIES: usize = 4;
/// Vectors of keys that they meet.
const VECTORS: usize = 2;
/// Dimensions that are turned at once.
const TURNED: usize = 16;

/// How the numbers of a cached vector are stored.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum KvNumbers {
    /// f32.
    F32,
    /// f16.
    F16,
    /// Signed bytes; behind them an f16 scale for each 32.
    Q8,
    /// Nibbles around 8, the first lowest; behind them an f16 scale for each 32.
    Q4,
}

/// A cache in segments, its words counted through all of them.
#[derive(Debug, Clone, Copy)]
pub struct KvVectors<'a> {
    /// The segments.
    pub segments: &'a [&'a [u32]],
    /// Words of each but the last.
    pub segment_words: usize,
    /// How numbers are stored.
    pub numbers: KvNumbers,
    /// Numbers of a vector; where they are in blocks, a multiple of 32.
    pub head_dim: usize,
}

/// What the query heads of some rows that share a key head ask of a cache.
#[derive(Debug)]
pub struct Question<'a> {
    /// `[rows, heads, head_dim]`.
    pub queries: &'a [f32],
    /// What scores are multiplied by.
    pub scale: f32,
    /// Scores stay within `±cap`, by `cap · tanh(score / cap)`, where there is one.
    pub cap: Option<f32>,
    /// A further score of each head, which has no value.
    pub sinks: Option<&'a [f32]>,
    /// The words at which keys begin.
    pub keys: &'a [usize],
    /// Which of these each row sees.
    pub seen: &'a [Range<usize>],
    /// Words from a key to its value.
    pub to_value: usize,
    /// What is taken from scores, capped ones too, where there is something.
    pub bias: Option<Bias<'a>>,
}

/// ALiBi: the distance between a row and a key, by the head's slope.
#[derive(Debug, Clone, Copy)]
pub struct Bias<'a> {
    /// Of each head.
    pub slopes: &'a [f32],
    /// The position of each key.
    pub keys: &'a [u32],
    /// The position of each row.
    pub rows: &'a [u32],
}

/// For each query the sum of values by the exponentials of their scores, in the front of its `outs`: `[rows, heads]`; gives the maximal
/// score, which is taken from all of them before, and the sum of the exponentials.
///
/// # Panics
/// Where the cache ends before a vector does.
pub fn attend(
    processor: Processor,
    cache: KvVectors<'_>,
    question: Question<'_>,
    outs: &mut [&mut [f32]],
) -> Vec<(f32, f32)> {
    processor.run(Attend { cache, question, outs })
}

struct Attend<'a, 'o> {
    cache: KvVectors<'a>,
    question: Question<'a>,
    outs: &'a mut [&'o mut [f32]],
}

impl Task for Attend<'_, '_> {
    type Output = Vec<(f32, f32)>;

    #[inline(always)]
    fn run<I: Isa>(self, isa: I) -> Vec<(f32, f32)> {
        let Attend { cache, question, outs } = self;
        let heads = outs.len() / question.seen.len().max(1);
        let block = VECTORS * I::LANES;
        let mut vectors = vec![Chunk([0.0; 32]); block * cache.chunks()];
        // `[query, stride]`
        let stride = question.keys.len().next_multiple_of(block);
        let mut scores = vec![0.0; outs.len() * stride];
        // `[VECTORS, head_dim, lanes]`
        let mut columns = vec![0.0; block * 32 * cache.chunks()];
        for (number, keys) in question.keys.chunks(block).enumerate() {
            cache.unpack(isa, keys, 0, &mut vectors);
            turn(isa, &vectors, &mut columns);
            let from = number * block;
            let sees = |query: usize| {
                let Range { start, end } = question.seen[query / heads];
                start < from + block && from < end
            };
            let mut query = 0;
            while query < outs.len() {
                let count = if outs.len() - query < QUERIES { 1 } else { QUERIES };
                if (query..query + count).any(sees) {
                    let queries = &question.queries[query * cache.head_dim..];
                    let scores = &mut scores[query * stride + from..];
                    match count {
                        1 => meet::<I, 1>(isa, &columns, queries, question.scale, scores, cache.head_dim, stride),
                        _ => meet::<I, QUERIES>(isa, &columns, queries, question.scale, scores, cache.head_dim, stride),
                    }
                }
                query += count;
            }
        }
        let mut ends = Vec::with_capacity(outs.len());
        for query in 0..outs.len() {
            let (row, head) = (query / heads, query % heads);
            let scores = &mut scores[query * stride..][question.seen[row].clone()];
            if let Some(cap) = question.cap {
                scores.iter_mut().for_each(|score| *score = cap * tanh(*score / cap));
            }
            if let Some(Bias { slopes, keys, rows }) = question.bias {
                for (score, key) in scores.iter_mut().zip(&keys[question.seen[row].clone()]) {
                    *score -= slopes[head] * key.abs_diff(rows[row]) as f32;
                }
            }
            ends.push(exponentials(scores, question.sinks.map(|sinks| sinks[head])));
        }
        // `[query, head_dim]`, to whole chunks.
        let mut sums = vec![Chunk([0.0; 32]); outs.len() * cache.chunks()];
        for (number, keys) in question.keys.chunks(block).enumerate() {
            cache.unpack(isa, keys, question.to_value, &mut vectors);
            let from = number * block;
            for (row, Range { start, end }) in question.seen.iter().cloned().enumerate() {
                let (start, end) = (start.max(from), end.min(from + block));
                if start >= end {
                    continue;
                }
                let values: &[f32] = bytemuck::cast_slice(&vectors[(start - from) * cache.chunks()..]);
                let mut query = row * heads;
                while query < (row + 1) * heads {
                    let sums = bytemuck::cast_slice_mut(&mut sums[query * cache.chunks()..]);
                    let weights = &scores[query * stride + start..];
                    let sizes = (end - start, 32 * cache.chunks(), stride);
                    query += match (row + 1) * heads - query {
                        2.. => add_weighted::<I, 2>(isa, sums, weights, values, sizes),
                        _ => add_weighted::<I, 1>(isa, sums, weights, values, sizes),
                    };
                }
            }
        }
        for (out, sums) in outs.iter_mut().zip(sums.chunks_exact(cache.chunks())) {
            out[..cache.head_dim].copy_from_slice(&bytemuck::cast_slice(sums)[..cache.head_dim]);
        }
        ends
    }
}

impl KvVectors<'_> {
    /// Chunks of a vector, the last one perhaps not full.
    fn chunks(&self) -> usize {
        self.head_dim.div_ceil(32)
    }

    /// The vectors `further` words behind `keys`; what stands behind a vector's end stays.
    #[inline(always)]
    fn unpack<I: Isa>(&self, isa: I, keys: &[usize], further: usize, out: &mut [Chunk]) {
        for (key, out) in keys.iter().zip(out.chunks_exact_mut(self.chunks())) {
            self.unpack_one(isa, key + further, out);
        }
    }

    /// The vector that begins at `word`.
    #[inline(always)]
    fn unpack_one<I: Isa>(&self, isa: I, word: usize, out: &mut [Chunk]) {
        let (segment, word) = match self.segments {
            // A division takes a tenth of what a vector takes.
            [whole] => (whole, word),
            _ => (&self.segments[word / self.segment_words], word % self.segment_words),
        };
        let bytes: &[u8] = bytemuck::cast_slice(&segment[word..]);
        match self.numbers {
            KvNumbers::F32 => {
                let floats = bytemuck::cast_slice::<u8, f32>(&bytes[..4 * self.head_dim]);
                bytemuck::cast_slice_mut(out)[..self.head_dim].copy_from_slice(floats);
            }
            KvNumbers::F16 => {
                let (chunks, rest) = bytes[..2 * self.head_dim].as_chunks::<64>();
                for (out, chunk) in out.iter_mut().zip(chunks) {
                    isa.store(isa.widen_f16(chunk), &mut out.0);
                }
                if !rest.is_empty() {
                    let mut last = [0; 64];
                    last[..rest.len()].copy_from_slice(rest);
                    isa.store(isa.widen_f16(&last), &mut out[chunks.len()].0);
                }
            }
            KvNumbers::Q8 => {
                let (numbers, scales) = bytes.split_at(self.head_dim);
                for ((out, chunk), scale) in out.iter_mut().zip(numbers.as_chunks().0).zip(scales.as_chunks().0) {
                    isa.store(isa.times(isa.widen(isa.load(chunk)), [isa.half(*scale); 2]), &mut out.0);
                }
            }
            KvNumbers::Q4 => {
                let (numbers, scales) = bytes.split_at(self.head_dim / 2);
                for ((out, chunk), scale) in out.iter_mut().zip(numbers.as_chunks().0).zip(scales.as_chunks().0) {
                    let numbers = isa.minus(isa.load_pairs(chunk), 8);
                    isa.store(isa.times(isa.widen(numbers), [isa.half(*scale); 2]), &mut out.0);
                }
            }
        }
    }
}

/// `vectors`, `[block, dims]`, as `[VECTORS, dims, lanes]`.
#[inline(always)]
fn turn<I: Isa>(isa: I, vectors: &[Chunk], columns: &mut [f32]) {
    let (rows, columns): (&[u32], &mut [u32]) = (bytemuck::cast_slice(vectors), bytemuck::cast_slice_mut(columns));
    let dims = rows.len() / (VECTORS * I::LANES);
    for vector in 0..VECTORS {
        for from in (0..dims).step_by(TURNED) {
            let to = &mut columns[(vector * dims + from) * I::LANES..][..TURNED * I::LANES];
            isa.transpose(&rows[vector * I::LANES * dims + from..], dims, to);
        }
    }
}

/// The scores of `Q` queries, which begin `dim` floats after each other, with a block of keys; scores are `stride` floats apart.
#[inline(always)]
fn meet<I: Isa, const Q: usize>(
    isa: I,
    columns: &[f32],
    queries: &[f32],
    scale: f32,
    scores: &mut [f32],
    dim: usize,
    stride: usize,
) {
    let mut sums = [[isa.zero(); VECTORS]; Q];
    let dims = columns.len() / (VECTORS * I::LANES);
    let queries: [&[f32]; Q] = std::array::from_fn(|i| &queries[i * dim..][..dim]);
    for d in 0..dim {
        for vector in 0..VECTORS {
            let keys = isa.lanes(&columns[(vector * dims + d) * I::LANES..][..I::LANES]);
            for i in 0..Q {
                sums[i][vector] = isa.multiply_add(isa.all(queries[i][d]), keys, sums[i][vector]);
            }
        }
    }
    for i in 0..Q {
        for vector in 0..VECTORS {
            let scores = &mut scores[i * stride + vector * I::LANES..];
            isa.store_lanes(isa.multiply(sums[i][vector], isa.all(scale)), scores);
        }
    }
}

/// Adds to the sums of `Q` queries `count` values of `width` floats, each by its weight; weights of the queries are `stride` floats apart.
/// Gives `Q`.
#[inline(always)]
fn add_weighted<I: Isa, const Q: usize>(
    isa: I,
    sums: &mut [f32],
    weights: &[f32],
    values: &[f32],
    (count, width, stride): (usize, usize, usize),
) -> usize {
    let weights: [&[f32]; Q] = std::array::from_fn(|i| &weights[i * stride..][..count]);
    let mut at = 0;
    while at < width {
        at += match (width - at) / I::LANES {
            4.. => add_columns::<I, Q, 4>(isa, sums, weights, values, width, at),
            2.. => add_columns::<I, Q, 2>(isa, sums, weights, values, width, at),
            _ => add_columns::<I, Q, 1>(isa, sums, weights, values, width, at),
        };
    }
    Q
}

/// The same for `N` vectors of lanes of each sum, from the column `at` on; gives how many columns these are.
#[inline(always)]
fn add_columns<I: Isa, const Q: usize, const N: usize>(
    isa: I,
    sums: &mut [f32],
    weights: [&[f32]; Q],
    values: &[f32],
    width: usize,
    at: usize,
) -> usize {
    let mut lanes = [[isa.zero(); N]; Q];
    for i in 0..Q {
        for n in 0..N {
            lanes[i][n] = isa.lanes(&sums[i * width + at + n * I::LANES..][..I::LANES]);
        }
    }
    for (k, value) in values.chunks_exact(width).take(weights[0].len()).enumerate() {
        let value = &value[at..][..N * I::LANES];
        for i in 0..Q {
            let weight = isa.all(weights[i][k]);
            for n in 0..N {
                lanes[i][n] = isa.multiply_add(weight, isa.lanes(&value[n * I::LANES..][..I::LANES]), lanes[i][n]);
            }
        }
    }
    for i in 0..Q {
        for n in 0..N {
            isa.store_lanes(lanes[i][n], &mut sums[i * width + at + n * I::LANES..]);
        }
    }
    N * I::LANES
}

/// Makes exponentials of scores, from which the highest is taken; gives that, and their sum.
#[inline(always)]
fn exponentials(scores: &mut [f32], sink: Option<f32>) -> (f32, f32) {
    let mut peaks = [-3.0e38f32; 16];
    let (runs, rest) = scores.as_chunks::<16>();
    for run in runs {
        (0..16).for_each(|i| peaks[i] = if run[i] > peaks[i] { run[i] } else { peaks[i] });
    }
    let highest = peaks.into_iter().chain(rest.iter().copied()).chain(sink).fold(-3.0e38, f32::max);
    let mut totals = [0.0f32; 16];
    let (runs, rest) = scores.as_chunks_mut::<16>();
    for run in runs {
        for i in 0..16 {
            run[i] = exp(run[i] - highest);
            totals[i] += run[i];
        }
    }
    let mut total = totals.iter().sum::<f32>() + sink.map_or(0.0, |sink| exp(sink - highest));
    for score in rest {
        *score = exp(*score - highest);
        total += *score;
    }
    (highest, total)
}

#[cfg(test)]
#[allow(clippy::single_range_in_vec_init, reason = "a row may be alone")]
mod tests {
    use super::*;
    use half::f16;

    /// Words of random vectors, and their numbers.
    fn cache(numbers: KvNumbers, dim: usize, count: usize) -> (Vec<u32>, Vec<Vec<f32>>) {
        let mut random = fastrand::Rng::with_seed(5);
        let (mut bytes, mut all) = (Vec::new(), Vec::new());
        for _ in 0..count {
            let mut vector = Vec::new();
            match numbers {
                KvNumbers::F32 => (0..dim).for_each(|_| vector.push(random.f32() - 0.5)),
                KvNumbers::F16 => (0..dim).for_each(|_| vector.push(f16::from_f32(random.f32() - 0.5).to_f32())),
                KvNumbers::Q8 => (0..dim).for_each(|_| vector.push(f32::from(random.i8(..)))),
                KvNumbers::Q4 => (0..dim).for_each(|_| vector.push(f32::from(random.i8(-8..8)))),
            }
            match numbers {
                KvNumbers::F32 => vector.iter().for_each(|v| bytes.extend(v.to_le_bytes())),
                KvNumbers::F16 => vector.iter().for_each(|v| bytes.extend(f16::from_f32(*v).to_le_bytes())),
                KvNumbers::Q8 => vector.iter().for_each(|v| bytes.push(*v as i8 as u8)),
                KvNumbers::Q4 => {
                    let nibble = |v: f32| (v + 8.0) as u8;
                    vector.chunks(2).for_each(|two| bytes.push(nibble(two[0]) | nibble(two[1]) << 4));
                }
            }
            if matches!(numbers, KvNumbers::Q8 | KvNumbers::Q4) {
                for block in vector.chunks_mut(32) {
                    let scale = f16::from_f32(random.f32() * 0.01);
                    bytes.extend(scale.to_le_bytes());
                    block.iter_mut().for_each(|v| *v *= scale.to_f32());
                }
                bytes.resize(bytes.len().next_multiple_of(4), 0);
            }
            all.push(vector);
        }
        (bytemuck::pod_collect_to_vec(&bytes), all)
    }

    /// A cache of which keys are even vectors, from the last to the first, and values the odd ones behind them; and what is asked of it.
    struct Case {
        numbers: KvNumbers,
        dim: usize,
        heads: usize,
        words: Vec<u32>,
        vectors: Vec<Vec<f32>>,
        keys: Vec<usize>,
        queries: Vec<f32>,
        seen: Vec<Range<usize>>,
        cap: Option<f32>,
        /// Slopes of the heads, and positions of the keys; those of rows are their numbers.
        bias: Option<(Vec<f32>, Vec<u32>)>,
    }

    /// Floats between answers.
    const SPARE: usize = 4;

    impl Case {
        fn new(numbers: KvNumbers, (dim, heads, count): (usize, usize, usize), seen: &[Range<usize>]) -> Case {
            let (words, vectors) = cache(numbers, dim, 2 * count + 2);
            let width = words.len() / (2 * count + 2);
            let keys = (0..count).rev().map(|key| 2 * key * width).collect();
            let queries = (0..seen.len() * heads * dim).map(|i| (i as f32 * 0.37).sin()).collect();
            Case { numbers, dim, heads, words, vectors, keys, queries, seen: seen.to_vec(), cap: None, bias: None }
        }

        fn width(&self) -> usize {
            self.words.len() / self.vectors.len()
        }

        /// Answers of `rows` and their ends; the cache is cut.
        fn attend(
            &self,
            processor: Processor,
            rows: Range<usize>,
            sinks: Option<&[f32]>,
        ) -> (Vec<f32>, Vec<(f32, f32)>) {
            let (heads, dim, count) = (self.heads, self.dim, self.keys.len());
            let segment_words = self.width() * if count == 1 { 4 } else { count & !1 };
            let parts: Vec<&[u32]> = self.words.chunks(segment_words).collect();
            let cache = KvVectors { segments: &parts, segment_words, numbers: self.numbers, head_dim: dim };
            let queries = &self.queries[rows.start * heads * dim..rows.end * heads * dim];
            let (keys, seen) = (&self.keys[..], &self.seen[rows.clone()]);
            let positions: Vec<u32> = rows.map(|row| row as u32).collect();
            let bias = self.bias.as_ref().map(|(slopes, keys)| Bias { slopes, keys, rows: &positions });
            let (scale, cap, to_value) = (0.2, self.cap, self.width());
            let question = Question { queries, scale, cap, sinks, keys, seen, to_value, bias };
            let mut out = vec![f32::NAN; seen.len() * heads * (dim + SPARE)];
            let mut outs: Vec<&mut [f32]> = out.chunks_mut(dim + SPARE).collect();
            let ends = attend(processor, cache, question, &mut outs);
            (out, ends)
        }

        /// Holds answers of all rows to the definition, in f64.
        fn check(&self, processor: Processor, sinks: Option<&[f32]>) {
            let Case { numbers, dim, heads, .. } = *self;
            let (out, ends) = self.attend(processor, 0..self.seen.len(), sinks);
            for (index, query) in self.queries.chunks(dim).enumerate() {
                let keys = &self.keys[self.seen[index / heads].clone()];
                let vector = |word: usize| &self.vectors[word / self.width()];
                let dot = |key: &[f32]| query.iter().zip(key).map(|(a, b)| f64::from(a * b)).sum::<f64>() * 0.2;
                let capped = |score: f64| self.cap.map(f64::from).map_or(score, |cap| cap * (score / cap).tanh());
                let bias = |place: usize| match &self.bias {
                    Some((slopes, keys)) => {
                        let distance = keys[self.seen[index / heads].start + place].abs_diff((index / heads) as u32);
                        f64::from(slopes[index % heads]) * f64::from(distance)
                    }
                    None => 0.0,
                };
                let score = |(place, key): (usize, &usize)| capped(dot(vector(*key))) - bias(place);
                let scores: Vec<f64> = keys.iter().enumerate().map(score).collect();
                let highest = scores.iter().copied().chain(sinks.map(|_| 0.3)).fold(f64::MIN, f64::max);
                let weights: Vec<f64> = scores.iter().map(|score| (score - highest).exp()).collect();
                let total = weights.iter().sum::<f64>() + sinks.map_or(0.0, |_| (0.3 - highest).exp());
                assert!((f64::from(ends[index].0) - highest).abs() < 1e-5, "{numbers:?} {processor:?}");
                assert!((f64::from(ends[index].1) - total).abs() < 1e-4 * total);
                for d in 0..dim {
                    let values = keys.iter().map(|key| f64::from(vector(key + self.width())[d]));
                    let expected: f64 = weights.iter().zip(values).map(|(weight, value)| weight * value).sum();
                    let found = f64::from(out[index * (dim + SPARE) + d]);
                    assert!((found - expected).abs() < 1e-4, "{numbers:?} {processor:?}: {found} {expected}");
                }
            }
        }
    }

    #[test]
    fn attention_equals_its_definition_on_every_instruction_set() {
        for numbers in [KvNumbers::F32, KvNumbers::F16, KvNumbers::Q8, KvNumbers::Q4] {
            let rising = [0..30, 0..31, 3..32, 0..33];
            for (sizes, seen) in
                [((32, 1, 1), &[0..1][..]), ((64, 3, 7), &[0..7]), ((96, 4, 33), &rising), ((128, 7, 33), &rising)]
            {
                let mut case = Case::new(numbers, sizes, seen);
                case.cap = (sizes.1 == 4).then_some(0.7);
                let (heads, keys) = (sizes.1, sizes.2 as u32);
                let slopes = (0..heads).map(|head| 0.3 / (head + 1) as f32).collect();
                case.bias = (heads > 3).then(|| (slopes, (0..keys).map(|key| key * 7 % 40).collect()));
                for processor in Processor::all() {
                    case.check(processor, None);
                    case.check(processor, Some(&vec![0.3; sizes.1]));
                }
            }
        }
        // Vectors that are not whole chunks.
        for numbers in [KvNumbers::F32, KvNumbers::F16] {
            for dim in [8, 24, 80, 100] {
                let case = Case::new(numbers, (dim, 3, 40), &[0..40, 20..40]);
                Processor::all().into_iter().for_each(|processor| case.check(processor, None));
            }
        }
    }

    #[test]
    fn answers_do_not_depend_on_companions() {
        let seen: Vec<Range<usize>> = (0..9).map(|row| row..70 + row).collect();
        let case = Case::new(KvNumbers::F16, (64, 3, 80), &seen);
        let bits = |values: &[f32]| values.iter().map(|v| v.to_bits()).collect::<Vec<_>>();
        for processor in Processor::all() {
            let (together, ends) = case.attend(processor, 0..9, None);
            for (row, seen) in seen.iter().enumerate() {
                // Alone, with the keys that it sees and no others.
                let keys = case.keys[seen.clone()].to_vec();
                let queries = case.queries[row * 3 * 64..][..3 * 64].to_vec();
                let (words, vectors) = (case.words.clone(), case.vectors.clone());
                let alone = Case { words, vectors, seen: vec![0..keys.len()], keys, queries, bias: None, ..case };
                let (alone, ends_alone) = alone.attend(processor, 0..1, None);
                let out = &together[row * 3 * (64 + SPARE)..][..3 * (64 + SPARE)];
                assert_eq!(bits(&alone[..64]), bits(&out[..64]), "row {row} {processor:?}");
                assert_eq!(ends_alone, ends[3 * row..][..3], "row {row} {processor:?}");
            }
        }
    }
}
