//! Twin of `shaders/chunk_argmax.wgsl`.

use super::fast::{FastWay, Processor, fast_mass, fast_peak};
use super::sampling::{FAULT, HIGHEST, adjust, dry_penalty, is_fault, sane, score};
use super::threads::{ALL_THREADS, spread, threads_for};
use crate::kernels::batch::{Row, drafted};
use crate::kernels::sampling::{MASKED, NO_TOKEN, STOPS, SampleShape, SamplingParams, TIMES, mask_words};

/// What a token takes, in multiplications.
const WORK_OF_A_TOKEN: usize = 4;
/// Tokens that are looked at together: those of a word of the mask.
const RUN: usize = 32;

/// What sequences' tokens depend on beside the logits.
#[derive(Debug, Clone, Copy)]
pub struct Past<'a> {
    /// `[sequences, vocab]`.
    pub history: &'a [u32],
    /// `[sequences, mask_words(vocab)]`.
    pub mask: &'a [u32],
}

/// The best of each chunk.
#[derive(Debug)]
pub struct Peaks<'a> {
    /// `[rows, chunks, 2]`: the best and the mass relative to it.
    pub best: &'a mut [f32],
    /// `[rows, chunks]`: its token.
    pub places: &'a mut [u32],
}

/// What each row is sampled from: the batch, the `logits` (f32 bits, `[rows, columns]`), and how each sequence is sampled.
#[derive(Debug, Clone, Copy)]
pub struct Sampled<'a> {
    /// The valid rows.
    pub rows: &'a [Row],
    /// Their logits.
    pub logits: &'a [f32],
    /// `[sequences]`.
    pub params: &'a [SamplingParams],
    /// What they depend on besides.
    pub past: Past<'a>,
}

/// Applies bias, penalties (for DRY's, `adjusted` holds what `dry` found) and mask to the logits of sampled rows and finds the chunks' best.
pub fn chunk_argmax(
    sampled: Sampled<'_>,
    adjusted: &mut [f32],
    peaks: Peaks<'_>,
    shape: &SampleShape,
    way: Option<FastWay>,
) {
    let (vocab, chunk, chunks) = (shape.vocab as usize, shape.chunk() as usize, shape.chunks() as usize);
    let rows = adjusted.chunks_mut(shape.stride() as usize).zip(peaks.best.chunks_mut(2 * chunks));
    let rows = rows.zip(peaks.places.chunks_mut(chunks)).take(sampled.rows.len()).enumerate();
    let rows = rows.filter(|(row, _)| sampled.rows[*row].is_sampled());
    let pieces = rows.flat_map(|(row, ((adjusted, best), places))| {
        let adjusted = adjusted[..vocab].chunks_mut(chunk);
        let parts = adjusted.zip(best.as_chunks_mut::<2>().0).zip(places).enumerate();
        parts.map(move |(number, ((adjusted, best), place))| Piece {
            row,
            first: number * chunk,
            adjusted,
            best,
            place,
        })
    });
    let threads = way.map_or(ALL_THREADS, |way| way.threads);
    let work = sampled.rows.len() * vocab * WORK_OF_A_TOKEN;
    let processor = way.map(|way| way.processor);
    spread(threads_for(work, threads), pieces.collect::<Vec<_>>().into_iter(), |piece| {
        piece.scan(sampled, shape, processor);
    });
}

/// A chunk of a row's tokens, from `first` on.
struct Piece<'a> {
    row: usize,
    first: usize,
    adjusted: &'a mut [f32],
    best: &'a mut [f32; 2],
    place: &'a mut u32,
}

impl Piece<'_> {
    fn scan(self, sampled: Sampled<'_>, shape: &SampleShape, processor: Option<Processor>) {
        let Piece { row: r, first, adjusted, best, place } = self;
        let row = &sampled.rows[r];
        let params = &sampled.params[row.sequence as usize];
        let logits = &sampled.logits[r * shape.columns as usize + first..][..adjusted.len()];
        let filters = !params.is_greedy() && params.has_filter(shape.vocab as usize);
        let is_plain = !params.remembers() && params.flags & MASKED == 0 && params.dry_multiplier <= 0.0;
        let has_mass = filters && params.top_p < 1.0;
        if let (Some(processor), true) = (processor, params.is_greedy() || filters) {
            let (mut peak, mut at, is_faulty) = fast_peak(processor, logits, HIGHEST);
            if !is_plain {
                let values = values(sampled, r, first, logits, adjusted, shape);
                (peak, at, _) = fast_peak(processor, &values, HIGHEST);
                if filters {
                    adjusted.copy_from_slice(&values);
                }
            } else if filters {
                adjusted.iter_mut().zip(logits).for_each(|(to, logit)| *to = sane(*logit));
            }
            let mass = if has_mass { fast_mass(processor, adjusted, peak, params.scale()) } else { 0.0 };
            (*best, *place) = told(is_faulty, peak, first + at, mass);
            return;
        }
        let values = values(sampled, r, first, logits, adjusted, shape);
        if filters {
            adjusted.copy_from_slice(&values);
        }
        let ranked = |i: usize| match params.is_greedy() || filters {
            true => values[i],
            false => score(values[i] * params.scale(), (first + i) as u32, row.position + 1, params),
        };
        let mut highest = (0, ranked(0));
        for i in 1..values.len() {
            let value = ranked(i);
            if value > highest.1 {
                highest = (i, value);
            }
        }
        let mass = match has_mass {
            true => values.iter().map(|value| ((value - highest.1) * params.scale()).exp()).sum(),
            false => 0.0,
        };
        let is_faulty = logits.iter().any(|logit| is_fault(*logit));
        (*best, *place) = told(is_faulty, highest.1, first + highest.0, mass);
    }
}

/// What a chunk tells of its best.
fn told(is_faulty: bool, peak: f32, token: usize, mass: f32) -> ([f32; 2], u32) {
    if is_faulty { ([FAULT, mass], NO_TOKEN) } else { ([peak, mass], token as u32) }
}

/// The logits of row `r` from token `first` on, with all that is applied to them; `lengths` are what `dry` found.
fn values(
    Sampled { rows, params, past, .. }: Sampled<'_>,
    r: usize,
    first: usize,
    logits: &[f32],
    lengths: &[f32],
    shape: &SampleShape,
) -> Vec<f32> {
    let row = &rows[r];
    let params = &params[row.sequence as usize];
    let history = &past.history[row.sequence as usize * shape.vocab as usize + first..];
    let words = mask_words(shape.vocab) as usize;
    let mask = &past.mask[row.sequence as usize * words..][..words];
    let drafted = drafted(rows, r);
    let allowed = |token: usize| params.flags & MASKED == 0 || mask[token / 32] >> (token % 32) & 1 == 1;
    let ends_early = row.position + 1 < params.min_limit && params.flags & MASKED == 0;
    let value = |i: usize| {
        let (logit, token) = (sane(logits[i]), first + i);
        if !allowed(token) || ends_early && history[i] & STOPS != 0 {
            return -HIGHEST;
        }
        let value = match params.remembers() {
            true => adjust(logit, with_drafted(history[i], token, &drafted), params),
            false => logit,
        };
        match params.dry_multiplier > 0.0 {
            true => sane(value - dry_penalty(lengths[i] as u32, params)),
            false => value,
        }
    };
    // Nothing but the logit counts for most runs of tokens, and a mask may leave none of one.
    let mut values = Vec::with_capacity(logits.len());
    for (run, logits) in logits.chunks(RUN).enumerate() {
        let all = run * RUN..run * RUN + logits.len();
        let counts = |token: &u32| (first + all.start..first + all.end).contains(&(*token as usize));
        let is_known = (params.remembers() || ends_early) && history[all.clone()].iter().any(|past| *past != 0);
        let is_repeated = params.dry_multiplier > 0.0 && lengths[all.clone()].iter().any(|length| *length != 0.0);
        let are_allowed = match params.flags & MASKED {
            0 => all.len(),
            _ => bits_at(mask, first + all.start, all.len()).count_ones() as usize,
        };
        match are_allowed {
            0 => values.resize(all.end, -HIGHEST),
            _ if is_known || is_repeated || are_allowed < all.len() || drafted.iter().any(counts) => {
                values.extend(all.map(value));
            }
            _ => values.extend(logits.iter().map(|logit| sane(*logit))),
        }
    }
    values
}

/// So many bits of `words` from bit `at` on, 32 at most, lowest first.
fn bits_at(words: &[u32], at: usize, count: usize) -> u32 {
    let word = |number: usize| u64::from(words.get(number).copied().unwrap_or(0));
    let both = word(at / 32) | word(at / 32 + 1) << 32;
    (both >> (at % 32) & ((1 << count) - 1)) as u32
}

/// A token's history with the drafted tokens counted.
fn with_drafted(past: u32, token: usize, drafted: &[u32]) -> u32 {
    let times = drafted.iter().filter(|drafted| **drafted as usize == token).count() as u32;
    past & !TIMES | ((past & TIMES) + times).min(TIMES)
}
