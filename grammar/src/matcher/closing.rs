//! Ways to complete an output soon, for when the tokens run out.
//!
//! A search that takes at each step what looks like an end: closing quotes and brackets first, then simple characters, and what opens
//! something last. Which character leads out cannot be seen, so several orders are tried: each filler once before any comes again
//! (then `a*b` gets to its `b`), always the first, always the last, and openers before fillers (a name that goes on with any letter is
//! only left by its bracket). What is found is a way out, not the shortest one.

use std::collections::HashMap;

use super::{Matcher, Vocabulary};
use crate::Match;

/// What closes, the most at once first: with a text before it, and without.
const QUOTED: [&str; 5] = ["\"}]", "\"}}", "\"}", "\"]", "\""];
const BRACKETS: [&str; 5] = ["}}", "}]", "]}", "}", "]"];

/// Most tokens of a completion that are chosen: the grammar forces most. Where a text's end depends on all of it, each token takes the
/// longer the more there are.
const MOST_CHOSEN: usize = 500;

/// How often something that closes or ends is taken before others are.
const PATIENCE: usize = 4;

/// What often stands at the end of something.
const ENDERS: &str = "\n.;>)/' ";

/// What fills, the simplest first.
const FILLERS: &str = "0123456789abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ_:@-+,\t!#$%&*=?^`|~\\<";

/// What opens something, and is taken where nothing else is left.
const OPENERS: &str = "\"([{";

/// The tokens of a vocabulary that a completion is made of.
pub struct Closers {
    quoted: Vec<u32>,
    brackets: Vec<u32>,
    enders: Vec<u32>,
    fillers: Vec<u32>,
    openers: Vec<u32>,
}

impl Closers {
    /// Looks them up by their bytes.
    pub fn new(token: impl Fn(&[u8]) -> Option<u32>) -> Closers {
        let known = |texts: [&str; 5]| texts.iter().filter_map(|text| token(text.as_bytes())).collect();
        let bytes = |text: &str| text.bytes().filter_map(|byte| token(&[byte])).collect();
        Closers {
            quoted: known(QUOTED),
            brackets: known(BRACKETS),
            enders: bytes(ENDERS),
            fillers: bytes(FILLERS),
            openers: bytes(OPENERS),
        }
    }
}

/// In which order fillers are tried.
#[derive(Clone, Copy, PartialEq)]
enum Order {
    /// The description's own words first, each once, then as [`Order::Rotating`].
    Words,
    Rotating,
    Forward,
    Backward,
    /// Openers first, each once, then as [`Order::Rotating`].
    Opening,
}

/// Tokens that complete the output, at most `limit` of them, if the search finds any. None are needed where it is complete.
pub fn completion(matcher: &Matcher, vocabulary: &Vocabulary, limit: usize) -> Option<Vec<u32>> {
    let has_words = !matcher.words().is_empty();
    let orders = [Order::Words, Order::Rotating, Order::Forward, Order::Backward, Order::Opening];
    orders
        .into_iter()
        .filter(|order| has_words || *order != Order::Words)
        .find_map(|order| search(matcher, vocabulary, limit, order))
}

fn search(matcher: &Matcher, vocabulary: &Vocabulary, limit: usize, order: Order) -> Option<Vec<u32>> {
    let mut matcher = matcher.clone();
    let mut found = Vec::new();
    let mut used: HashMap<u32, usize> = HashMap::new();
    let mut chosen = 0;
    let mut words = if order == Order::Words { matcher.words().to_vec() } else { Vec::new() };
    while !matcher.is_complete() {
        let forced = matcher.forced().ok()?;
        if found.len() + forced.len().max(1) > limit {
            return None;
        }
        if forced.is_empty() {
            if let Some(word) = step_by_word(&mut matcher, vocabulary, &mut words) {
                found.extend(word);
                continue;
            }
            chosen += 1;
            if chosen > MOST_CHOSEN {
                return None;
            }
            let candidates = candidates(&matcher, vocabulary, &used, order);
            let token = step(&mut matcher, vocabulary, candidates)?;
            *used.entry(token).or_default() += 1;
            found.push(token);
        } else {
            forced.iter().try_for_each(|&token| matcher.accept(token)).ok()?;
            found.extend(forced);
        }
    }
    Some(found)
}

/// What may lead out, the most promising first.
fn candidates(matcher: &Matcher, vocabulary: &Vocabulary, used: &HashMap<u32, usize>, order: Order) -> Vec<u32> {
    let Closers { quoted, brackets, enders, fillers, openers } = vocabulary.closers();
    let times = |token: &u32| used.get(token).copied().unwrap_or(0);
    // Within a text a bracket closes nothing. Where it is not known that the output is one, brackets that help nothing fall behind.
    let brackets: &[u32] = if matcher.is_in_text() { &[] } else { brackets };
    let closers = brackets.iter().chain(quoted).map(|token| (times(token) / PATIENCE, *token));
    let enders = enders.iter().map(|token| (times(token) / PATIENCE + 1, *token));
    let fillers = fillers.iter().enumerate().map(|(place, token)| match order {
        Order::Words | Order::Rotating | Order::Opening => (times(token) + 1, *token),
        Order::Forward => (place + 1, *token),
        Order::Backward => (fillers.len() - place, *token),
    });
    let openers = openers.iter().map(|token| match order {
        Order::Opening => (times(token) + 1, *token),
        _ => (usize::MAX, *token),
    });
    let mut candidates: Vec<(usize, u32)> = closers.chain(enders).chain(openers).chain(fillers).collect();
    candidates.sort_by_key(|(rank, _)| *rank);
    candidates.into_iter().map(|(_, token)| token).collect()
}

/// Go on by the first of the words that may come here, unless something closes already; it is used up then.
fn step_by_word(matcher: &mut Matcher, vocabulary: &Vocabulary, words: &mut Vec<Vec<u32>>) -> Option<Vec<u32>> {
    let mut closers = vocabulary.closers().quoted.iter().chain(&vocabulary.closers().brackets);
    if words.is_empty() || closers.any(|token| matcher.clone().accept(*token).is_ok()) {
        return None;
    }
    let place = words.iter().position(|word| {
        let mut next = matcher.clone();
        let fits = word.iter().all(|token| next.accept(*token).is_ok());
        if fits {
            *matcher = next;
        }
        fits
    })?;
    Some(words.remove(place))
}

/// Go on by the first candidate that is allowed, or by any token.
fn step(matcher: &mut Matcher, vocabulary: &Vocabulary, candidates: Vec<u32>) -> Option<u32> {
    if let Some(token) = candidates.into_iter().find(|token| matcher.accept(*token).is_ok()) {
        return Some(token);
    }
    let mut mask = vec![0; vocabulary.len().div_ceil(32)];
    matcher.mask(&mut mask).ok()?;
    let word = mask.iter().position(|&word| word != 0)?;
    let token = word as u32 * 32 + mask[word].trailing_zeros();
    matcher.accept(token).is_ok().then_some(token)
}
