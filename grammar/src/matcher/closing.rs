//! Ways to complete an output soon, for when the tokens run out.
//!
//! A search that takes at each step what looks like an end: closing quotes and brackets first, then simple characters, and what opens
//! something last. Which character leads out cannot be seen, so several orders are tried: a word of the description's where it ends the
//! output, the words as they come, each filler once before any comes again (then `a*b` gets to its `b`), always the first, always the
//! last, and openers before fillers (a name that goes on with any letter is only left by its bracket). What is found is a way out, not
//! the shortest one.

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
    /// A word of the description's as soon as the output ends with it, else as [`Order::Rotating`].
    LastWord,
    /// The description's own words first, each once, then as [`Order::Rotating`].
    Words,
    Rotating,
    Forward,
    Backward,
    /// Openers first, each once, then as [`Order::Rotating`].
    Opening,
}

impl Order {
    fn takes_words(self) -> bool {
        matches!(self, Order::LastWord | Order::Words)
    }
}

/// Tokens that complete the output, at most `limit` of them, if the search finds any. None are needed where it is complete.
pub fn completion(matcher: &Matcher, vocabulary: &Vocabulary, limit: usize) -> Option<Vec<u32>> {
    let has_words = !matcher.words().is_empty();
    let orders = [Order::LastWord, Order::Words, Order::Rotating, Order::Forward, Order::Backward, Order::Opening];
    orders
        .into_iter()
        .filter(|order| has_words || !order.takes_words())
        .find_map(|order| search(matcher, vocabulary, limit, order))
}

fn search(matcher: &Matcher, vocabulary: &Vocabulary, limit: usize, order: Order) -> Option<Vec<u32>> {
    let mut matcher = matcher.clone();
    let mut found = Vec::new();
    let mut used: HashMap<u32, usize> = HashMap::new();
    let mut chosen = 0;
    let mut words = if order.takes_words() { matcher.words().to_vec() } else { Vec::new() };
    while !matcher.is_complete() {
        let forced = matcher.forced().ok()?;
        if found.len() + forced.len().max(1) > limit {
            return None;
        }
        if forced.is_empty() {
            if let Some(word) = step_by_word(&mut matcher, vocabulary, &mut words, limit - found.len(), order) {
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
        Order::LastWord | Order::Words | Order::Rotating | Order::Opening => (times(token) + 1, *token),
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

/// Go on by the first of the words that may come here and have at most `room` tokens, unless something closes already; it is used up
/// then.
fn step_by_word(
    matcher: &mut Matcher,
    vocabulary: &Vocabulary,
    words: &mut Vec<Vec<u32>>,
    room: usize,
    order: Order,
) -> Option<Vec<u32>> {
    let mut closers = vocabulary.closers().quoted.iter().chain(&vocabulary.closers().brackets);
    if words.is_empty() || closers.any(|token| matcher.clone().accept(*token).is_ok()) {
        return None;
    }
    let place = words.iter().position(|word| {
        let mut next = matcher.clone();
        let fits = word.len() <= room
            && word.iter().all(|token| next.accept(*token).is_ok())
            && (order == Order::Words || next.is_complete());
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

#[cfg(test)]
mod tests {
    use std::sync::Arc;

    use crate::{Compiler, Spec, Token};

    use super::*;

    /// One token a byte, of which 0 ends the output.
    fn vocabulary() -> Arc<Vocabulary> {
        let tokens: Vec<Token> = (0..=255u8).map(|byte| Token { bytes: vec![byte], control: false }).collect();
        let tokenize = |text: &[u8]| text.iter().map(|byte| u32::from(*byte)).collect();
        Arc::new(Vocabulary::new(&tokens, &[0], Box::new(tokenize)).unwrap())
    }

    /// What ends in a word, and how short it may be.
    fn descriptions() -> Vec<(Spec, usize)> {
        let regex = |text: &str| Spec::Regex { regex: text.to_owned() };
        let gbnf = |text: &str| Spec::Gbnf { grammar: text.to_owned() };
        let lark = |text: &str| Spec::Lark { grammar: text.to_owned() };
        vec![
            (regex("[0-9]*END"), 3),
            (regex("([0-9]+ )+(DONE|OK)"), 4),
            (regex("[a-z]+ Sincerely"), 11),
            (gbnf(r#"root ::= [a-z]+ "END""#), 4),
            (gbnf(r#"root ::= ([a-z]+ " ")* "END""#), 3),
            (gbnf(r#"root ::= "BEGIN" [0-9]* "END" [0-9]* "STOP""#), 12),
            (lark("start: (WORD \" \")* \"END\"\nWORD: /[a-z]+/\n"), 3),
            (lark("start: (WORD \" \")* \"END\"\nWORD: /[A-Za-z]+/\n"), 3),
        ]
    }

    /// Found where the three tokens of a word were counted as an end that fits into one.
    #[test]
    fn a_completion_is_never_longer_than_its_limit() {
        let vocabulary = vocabulary();
        for (spec, shortest) in descriptions() {
            let mut matcher = Compiler::new(Arc::clone(&vocabulary)).unwrap().compile(&spec).unwrap();
            for limit in 0..30 {
                let found = completion(&matcher, &vocabulary, limit);
                assert_eq!(found.is_some(), limit >= shortest, "{limit} tokens of {}", spec.to_json());
                assert!(found.is_none_or(|found| found.len() <= limit), "{limit} tokens of {}", spec.to_json());
            }
            assert!(!matcher.is_complete());
        }
    }

    /// Found where an answer ended in the first letter of the word that had to end it.
    #[test]
    fn a_word_at_the_end_of_an_answer_is_whole_when_its_tokens_run_out() {
        let vocabulary = vocabulary();
        for (spec, shortest) in descriptions() {
            for budget in shortest..shortest + 24 {
                let mut matcher = Compiler::new(Arc::clone(&vocabulary)).unwrap().compile(&spec).unwrap();
                let landing = matcher.landing(budget);
                let mut mask = [0; 8];
                let mut left = budget;
                while left > 0 && !matcher.must_stop() {
                    matcher.mask(&mut mask).unwrap();
                    // What goes on, rather than what ends.
                    let allowed = |token: &u32| mask[*token as usize / 32] >> (token % 32) & 1 == 1;
                    let token = (b'0'..=b'9').chain(b'a'..=b'z').chain(0..=255).map(u32::from).find(allowed).unwrap();
                    if left > landing {
                        matcher.accept(token).unwrap();
                    } else {
                        matcher.land(token, left).unwrap();
                    }
                    left -= 1;
                }
                assert!(matcher.is_complete(), "{budget} tokens of {}", spec.to_json());
            }
        }
    }
}
