//! Attention of the query heads that share a key head over vectors of a cache, so that each is unpacked once for all of them.

use crate::exp::exp;
use crate::isa::{Chunk, Isa, Task};
use crate::processor::Processor;

/// Vectors whose weighted sum is added at once, so that the sum is read and written once for all of them.
const AT_ONCE: usize = 4;
/// Query heads that meet a key at once.
const HEADS: usize = 4;

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
    /// Numbers of a vector: a multiple of 32.
    pub head_dim: usize,
}

/// What query heads ask of a cache.
#[derive(Debug)]
pub struct Question<'a> {
    /// `[heads, head_dim]`.
    pub queries: &'a [f32],
    /// What scores are multiplied by.
    pub scale: f32,
    /// A further score of each head, which has no value.
    pub sinks: Option<&'a [f32]>,
    /// The words at which visible keys begin.
    pub keys: &'a [usize],
    /// Words from a key to its value.
    pub to_value: usize,
}

/// For each head the sum of values by the exponentials of their scores, in the front of its `outs`; gives the maximal score, which is
/// taken from all of them before, and the sum of the exponentials.
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
        let (chunks, count) = (cache.head_dim / 32, question.keys.len());
        let queries: Vec<Chunk> = question.queries.as_chunks().0.iter().copied().map(Chunk).collect();
        // `[head, key]`
        let mut scores = vec![0.0; outs.len() * count];
        let mut vectors = vec![Chunk([0.0; 32]); AT_ONCE * chunks];
        for (k, key) in question.keys.iter().enumerate() {
            cache.unpack(isa, *key, &mut vectors[..chunks]);
            let mut put = |head: usize, score: f32| scores[head * count + k] = score * question.scale;
            let mut head = 0;
            for queries in queries.chunks(HEADS * chunks) {
                match queries.len() / chunks {
                    HEADS => meet::<I, HEADS>(isa, &vectors[..chunks], queries, |i, score| put(head + i, score)),
                    several => (0..several).for_each(|i| {
                        meet::<I, 1>(isa, &vectors[..chunks], &queries[i * chunks..], |_, score| put(head + i, score));
                    }),
                }
                head += HEADS;
            }
        }
        let end_of =
            |head: usize| exponentials(&mut scores[head * count..][..count], question.sinks.map(|sinks| sinks[head]));
        let ends = (0..outs.len()).map(end_of).collect();
        let mut sums = vec![Chunk([0.0; 32]); outs.len() * chunks];
        for (run, keys) in question.keys.chunks(AT_ONCE).enumerate() {
            for (key, vector) in keys.iter().zip(vectors.chunks_exact_mut(chunks)) {
                cache.unpack(isa, key + question.to_value, vector);
            }
            for (head, sums) in sums.chunks_exact_mut(chunks).enumerate() {
                let weights = &scores[head * count + run * AT_ONCE..][..keys.len()];
                match weights.first_chunk::<AT_ONCE>() {
                    Some(weights) => add_weighted(isa, sums, weights, &vectors),
                    None => (weights.iter().zip(vectors.chunks_exact(chunks)))
                        .for_each(|(weight, vector)| add_weighted(isa, sums, &[*weight], vector)),
                }
            }
        }
        for (out, sums) in outs.iter_mut().zip(sums.chunks_exact(chunks)) {
            out.as_chunks_mut::<32>().0.iter_mut().zip(sums).for_each(|(out, sum)| *out = sum.0);
        }
        ends
    }
}

impl KvVectors<'_> {
    /// The vector that begins at `word`.
    #[inline(always)]
    fn unpack<I: Isa>(&self, isa: I, word: usize, out: &mut [Chunk]) {
        let (segment, word) = match self.segments {
            // A division takes a tenth of what a vector takes.
            [whole] => (whole, word),
            _ => (&self.segments[word / self.segment_words], word % self.segment_words),
        };
        let bytes: &[u8] = bytemuck::cast_slice(&segment[word..]);
        match self.numbers {
            KvNumbers::F32 => {
                let chunks = bytemuck::cast_slice::<u8, f32>(&bytes[..4 * self.head_dim]).as_chunks().0;
                out.iter_mut().zip(chunks).for_each(|(out, chunk)| out.0 = *chunk);
            }
            KvNumbers::F16 => {
                let chunks = bytes[..2 * self.head_dim].as_chunks::<64>().0;
                out.iter_mut().zip(chunks).for_each(|(out, chunk)| isa.store(isa.widen_f16(chunk), &mut out.0));
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

/// The products of a vector with `H` queries.
#[inline(always)]
fn meet<I: Isa, const H: usize>(isa: I, vector: &[Chunk], queries: &[Chunk], mut put: impl FnMut(usize, f32)) {
    let queries: [&[Chunk]; H] = std::array::from_fn(|i| &queries[i * vector.len()..][..vector.len()]);
    let mut sums = [isa.zero(); H];
    for (c, chunk) in vector.iter().enumerate() {
        let chunk = isa.wide(chunk);
        for (sums, query) in sums.iter_mut().zip(queries) {
            *sums = isa.add_products(*sums, chunk, &query[c].0);
        }
    }
    sums.into_iter().enumerate().for_each(|(i, sums)| put(i, isa.total(sums)));
}

/// Adds `vectors`, one behind the other, each by its weight.
#[inline(always)]
fn add_weighted<I: Isa, const N: usize>(isa: I, sums: &mut [Chunk], weights: &[f32; N], vectors: &[Chunk]) {
    let vectors: [&[Chunk]; N] = std::array::from_fn(|n| &vectors[n * sums.len()..][..sums.len()]);
    for (c, sum) in sums.iter_mut().enumerate() {
        let mut wide = isa.wide(sum);
        for (weight, vector) in weights.iter().zip(vectors) {
            wide = isa.add_times(wide, isa.wide(&vector[c]), *weight);
        }
        isa.store(wide, &mut sum.0);
    }
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

    #[test]
    fn attention_equals_its_definition_on_every_instruction_set() {
        for numbers in [KvNumbers::F32, KvNumbers::F16, KvNumbers::Q8, KvNumbers::Q4] {
            for (dim, heads, count) in [(32, 1, 1), (64, 3, 7), (96, 4, 33), (128, 7, 21)] {
                // Keys are even vectors, values the odd ones behind them; the cache is cut.
                let (words, vectors) = cache(numbers, dim, 2 * count + 2);
                let width = words.len() / (2 * count + 2);
                let segment_words = width * if count == 1 { 4 } else { count & !1 };
                let parts: Vec<&[u32]> = words.chunks(segment_words).collect();
                let keys: Vec<usize> = (0..count).rev().map(|key| 2 * key * width).collect();
                let queries: Vec<f32> = (0..heads * dim).map(|i| (i as f32 * 0.37).sin()).collect();
                for sinks in [None, Some(vec![0.3; heads])] {
                    for processor in Processor::all() {
                        let mut out = vec![f32::NAN; heads * (dim + 4)];
                        let mut outs: Vec<&mut [f32]> = out.chunks_mut(dim + 4).collect();
                        let cache = KvVectors { segments: &parts, segment_words, numbers, head_dim: dim };
                        let sinks = sinks.as_deref();
                        let question = Question { queries: &queries, scale: 0.2, sinks, keys: &keys, to_value: width };
                        let ends = attend(processor, cache, question, &mut outs);
                        for (head, query) in queries.chunks(dim).enumerate() {
                            let dot =
                                |key: &[f32]| query.iter().zip(key).map(|(a, b)| f64::from(a * b)).sum::<f64>() * 0.2;
                            let scores: Vec<f64> = keys.iter().map(|key| dot(&vectors[key / width])).collect();
                            let highest = scores.iter().copied().chain(sinks.map(|_| 0.3)).fold(f64::MIN, f64::max);
                            let weights: Vec<f64> = scores.iter().map(|score| (score - highest).exp()).collect();
                            let total = weights.iter().sum::<f64>() + sinks.map_or(0.0, |_| (0.3 - highest).exp());
                            assert!((f64::from(ends[head].0) - highest).abs() < 1e-5, "{numbers:?} {processor:?}");
                            assert!((f64::from(ends[head].1) - total).abs() < 1e-4 * total);
                            for d in 0..dim {
                                let values = keys.iter().map(|key| f64::from(vectors[key / width + 1][d]));
                                let expected: f64 =
                                    weights.iter().zip(values).map(|(weight, value)| weight * value).sum();
                                let found = f64::from(out[head * (dim + 4) + d]);
                                assert!(
                                    (found - expected).abs() < 1e-4,
                                    "{numbers:?} {processor:?}: {found} {expected}"
                                );
                            }
                        }
                    }
                }
            }
        }
    }
}
