//! Ways to complete an output soon, for when the tokens run out.
//!
//! A search that takes at each step what looks like an end: closing quotes and brackets first, then simple characters, each filler
//! once before any comes again (so that `a*b` gets to its `b`), and what opens something last. What it finds is a way, not the shortest one.

use std::collections::HashMap;

use super::{Matcher, Vocabulary};
use crate::Match;

/// What closes, the most at once first.
const CLOSERS: [&str; 10] = ["\"}]", "\"}}", "\"}", "\"]", "}}", "}]", "]}", "\"", "}", "]"];

/// What fills, the simplest first. What opens comes last.
const FILLERS: &str =
    "0123456789abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ>)/._:@-+,; \n\t'!#$%&*=?^`|~\\<(\"[{";

/// The tokens of a vocabulary that a completion is made of.
pub struct Closers {
    closers: Vec<u32>,
    fillers: Vec<u32>,
}

impl Closers {
    /// Looks them up by their bytes.
    pub fn new(token: impl Fn(&[u8]) -> Option<u32>) -> Closers {
        Closers {
            closers: CLOSERS.iter().filter_map(|text| token(text.as_bytes())).collect(),
            fillers: FILLERS.bytes().filter_map(|byte| token(&[byte])).collect(),
        }
    }
}

/// Tokens that complete the output, at most `limit` of them, if the search finds any. None are needed where it is complete.
pub fn completion(matcher: &Matcher, vocabulary: &Vocabulary, limit: usize) -> Option<Vec<u32>> {
    let mut matcher = matcher.clone();
    let mut found = Vec::new();
    let mut used: HashMap<u32, usize> = HashMap::new();
    while !matcher.is_complete() {
        let forced = matcher.forced().ok()?;
        if found.len() + forced.len().max(1) > limit {
            return None;
        }
        if forced.is_empty() {
            let token = step(&mut matcher, vocabulary, &used)?;
            *used.entry(token).or_default() += 1;
            found.push(token);
        } else {
            forced.iter().try_for_each(|&token| matcher.accept(token)).ok()?;
            found.extend(forced);
        }
    }
    Some(found)
}

/// Go on by the token that looks most like an end.
fn step(matcher: &mut Matcher, vocabulary: &Vocabulary, used: &HashMap<u32, usize>) -> Option<u32> {
    let Closers { closers, fillers } = vocabulary.closers();
    let mut fillers = fillers.clone();
    fillers.sort_by_key(|token| used.get(token).copied().unwrap_or(0));
    if let Some(&token) = closers.iter().chain(&fillers).find(|&&token| matcher.accept(token).is_ok()) {
        return Some(token);
    }
    let mut mask = vec![0; vocabulary.len().div_ceil(32)];
    matcher.mask(&mut mask).ok()?;
    let word = mask.iter().position(|&word| word != 0)?;
    let token = word as u32 * 32 + mask[word].trailing_zeros();
    matcher.accept(token).is_ok().then_some(token)
}
