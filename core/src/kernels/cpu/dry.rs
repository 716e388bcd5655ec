//! Twin of `shaders/dry.wgsl`.

use litemap::LiteMap;

use crate::kernels::batch::{Row, drafted};
use crate::kernels::dry::LONGEST;
use crate::kernels::sampling::{RECENT, SampleShape, SamplingParams, mask_words};

/// Finds, for the rows with such a penalty, how long a repetition each token would make longer: `lengths`, `[rows, chunks · chunk]`.
/// `recent`: `[sequences, RECENT]`; `breakers`: `[sequences, mask_words(vocab)]`.
pub fn dry(
    rows: &[Row],
    params: &[SamplingParams],
    (recent, breakers): (&[u32], &[u32]),
    lengths: &mut [f32],
    shape: &SampleShape,
) {
    let words = mask_words(shape.vocab) as usize;
    for (r, row) in rows.iter().enumerate().filter(|(_, row)| row.is_sampled()) {
        let params = &params[row.sequence as usize];
        if params.dry_multiplier.is_nan() || params.dry_multiplier <= 0.0 {
            continue;
        }
        let lengths = &mut lengths[r * shape.stride() as usize..][..shape.stride() as usize];
        lengths.fill(0.0);
        let breakers = &breakers[row.sequence as usize * words..][..words];
        let is_breaker = |token: u32| token < shape.vocab && breakers[token as usize / 32] >> (token % 32) & 1 == 1;
        let tokens = last_tokens(rows, r, recent, params.dry_last_n);
        for (token, length) in repetitions(&tokens, is_breaker) {
            if let Some(found) = lengths[..shape.vocab as usize].get_mut(token as usize) {
                *found = length as f32;
            }
        }
    }
}

/// The last tokens of a row's sequence, its own the last of them.
fn last_tokens(rows: &[Row], r: usize, recent: &[u32], at_most: u32) -> Vec<u32> {
    let drafted = drafted(rows, r);
    let end = rows[r].position + 1;
    let count = end.min(RECENT).min(at_most);
    let standing = end - drafted.len() as u32;
    let recent = &recent[rows[r].sequence as usize * RECENT as usize..][..RECENT as usize];
    let token = |position: u32| match position.checked_sub(standing) {
        Some(place) => drafted[place as usize],
        None => recent[(position % RECENT) as usize],
    };
    (end - count..end).map(token).collect()
}

/// For each token that followed an earlier occurrence of the last tokens, the longest such occurrence.
fn repetitions(tokens: &[u32], is_breaker: impl Fn(u32) -> bool) -> LiteMap<u32, usize> {
    let mut longest = LiteMap::new_vec();
    for end in 1..tokens.len() {
        let (earlier, next) = (&tokens[..end], tokens[end]);
        let pairs = earlier.iter().rev().zip(tokens.iter().rev());
        let length = pairs.take(LONGEST as usize).take_while(|(a, b)| a == b && !is_breaker(**a)).count();
        if length > 0 && !is_breaker(next) {
            let known = longest.entry(next).or_insert(0);
            *known = length.max(*known);
        }
    }
    longest
}
