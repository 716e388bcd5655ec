//! A position in an output that a grammar describes.

use std::collections::VecDeque;
use std::sync::Arc;

use llguidance::toktrie::TokenizerEnv;

use super::guard::Guard;
use super::{Vocabulary, closing, failure};
use crate::{GrammarError, Match};

/// The longest completion that is looked for before an output is landed, in tokens.
const LONGEST_COMPLETION: usize = 2000;

/// How many tokens before the last possible one an output is landed: what a token opens takes several to close.
const EARLY: usize = 64;

/// How early an output is landed for which no completion is found at its beginning, in tokens.
const BLIND_LANDING: usize = 200;

/// A position in an output. A clone goes on by itself, and costs as much as the output so far is long.
#[derive(Clone)]
pub struct Matcher {
    inner: llguidance::Matcher,
    vocabulary: Arc<Vocabulary>,
    /// Where the output is JSON.
    guard: Option<Guard>,
    /// Words that the description spells out, as tokens.
    words: Arc<[Vec<u32>]>,
    /// Tokens that are known to complete the output from here.
    completion: Option<VecDeque<u32>>,
    rest: Rest,
    ended: bool,
}

/// How long no completion is looked for after searches that found none: twice as many tokens after each, so that where there is no way
/// out the looking ends.
#[derive(Clone, Copy, Default)]
struct Rest {
    left: usize,
    whole: usize,
}

impl Rest {
    /// After one more search that found nothing.
    fn longer(self) -> Rest {
        let whole = 2 * self.whole + 1;
        Rest { left: whole, whole }
    }
}

impl Matcher {
    pub(super) fn new(
        inner: llguidance::Matcher,
        vocabulary: Arc<Vocabulary>,
        guard: Option<Guard>,
        words: Arc<[Vec<u32>]>,
    ) -> Matcher {
        Matcher { inner, vocabulary, guard, words, completion: None, rest: Rest::default(), ended: false }
    }

    /// Words that the description spells out, as tokens.
    pub(super) fn words(&self) -> &[Vec<u32>] {
        &self.words
    }

    /// Whether llguidance has come to the end of the grammar by itself.
    fn is_finished(&self) -> bool {
        self.inner.is_stopped() && !self.inner.is_error()
    }

    fn is_eos(&self, token: u32) -> bool {
        self.vocabulary.eos().contains(&token)
    }

    /// Whether the output is known to be within a JSON string.
    pub(super) fn is_in_text(&self) -> bool {
        self.guard.is_some_and(|guard| guard.is_in_text())
    }

    /// Keep up with a token that was taken.
    fn advance(&mut self, token: u32) {
        if let Some(guard) = &mut self.guard {
            guard.push(self.vocabulary.tok_trie().token(token));
        }
        self.completion = self.completion.take().filter(|known| known.front() == Some(&token));
        if let Some(known) = &mut self.completion {
            known.pop_front();
        }
    }

    /// Whether the output can be completed by at most `limit` more tokens, as far as the search sees.
    fn can_complete(&mut self, limit: usize) -> bool {
        if self.completion.as_ref().is_none_or(|known| known.len() > limit) {
            self.completion = closing::completion(self, &self.vocabulary, limit).map(VecDeque::from);
        }
        self.completion.is_some()
    }

    /// Take the next token of the known completion.
    fn complete(&mut self) -> Result<u32, GrammarError> {
        let known = self.completion.as_ref().and_then(|known| known.front());
        let token = known.copied().unwrap_or(self.vocabulary.eos()[0]);
        self.rest = Rest::default();
        self.accept(token)?;
        Ok(token)
    }
}

impl Match for Matcher {
    fn mask(&mut self, words: &mut [u32]) -> Result<(), GrammarError> {
        words.fill(0);
        if self.ended || self.is_finished() {
            for &id in self.vocabulary.eos() {
                if let Some(word) = words.get_mut(id as usize / 32) {
                    *word |= 1 << (id % 32);
                }
            }
            return Ok(());
        }
        let allowed = self.inner.compute_mask().map_err(|error| failure::of_step(&error.to_string()))?;
        let allowed = &allowed.as_slice()[..self.vocabulary.len().div_ceil(32)];
        let shared = words.len().min(allowed.len());
        words[..shared].copy_from_slice(&allowed[..shared]);
        if let Some(guard) = &self.guard {
            guard.restrict(&mut words[..shared], |token| self.vocabulary.tok_trie().token(token));
        }
        Ok(())
    }

    fn accept(&mut self, token: u32) -> Result<(), GrammarError> {
        if self.is_eos(token) && self.is_complete() {
            self.ended = true;
            return Ok(());
        }
        if self.ended || self.is_finished() || token as usize >= self.vocabulary.len() {
            return Err(GrammarError::Refused { token });
        }
        match self.inner.try_consume_tokens(&[token]) {
            Ok(1) => self.advance(token),
            Ok(_) => return Err(GrammarError::Refused { token }),
            Err(error) => return Err(failure::of_step(&error.to_string())),
        }
        Ok(())
    }

    fn landing(&mut self, budget: usize) -> usize {
        match closing::completion(self, &self.vocabulary, budget.min(LONGEST_COMPLETION)) {
            Some(completion) => match budget.saturating_sub(completion.len()) {
                ..=EARLY => budget,
                // By then, three times as much may be open as was written.
                spare => budget - spare.div_ceil(4),
            },
            None => budget.min(BLIND_LANDING),
        }
    }

    fn land(&mut self, token: u32, budget: usize) -> Result<u32, GrammarError> {
        let mut next = self.clone();
        next.accept(token)?;
        if next.rest.left > 0 {
            next.rest.left -= 1;
        } else if next.ended || next.can_complete(budget.saturating_sub(1)) {
            next.rest = Rest::default();
        } else if self.can_complete(budget) {
            return self.complete();
        } else {
            next.rest = next.rest.longer();
        }
        *self = next;
        Ok(token)
    }

    fn forced(&mut self) -> Result<Vec<u32>, GrammarError> {
        if self.ended || self.is_finished() {
            return Ok(Vec::new());
        }
        let tokens = self.inner.compute_ff_tokens();
        match self.inner.get_error() {
            Some(error) => Err(failure::of_step(&error)),
            None => Ok(tokens),
        }
    }

    fn is_complete(&mut self) -> bool {
        self.ended || self.is_finished() || self.inner.is_accepting().unwrap_or(false)
    }

    fn must_stop(&mut self) -> bool {
        self.ended || self.is_finished()
    }

    fn fork(&self) -> Box<dyn Match> {
        Box::new(self.clone())
    }
}

#[cfg(test)]
mod tests {
    use crate::{Compiler, Match, Spec, Token};

    use super::*;

    fn matcher(spec: Spec) -> Matcher {
        let tokens: Vec<Token> = (0..=255u8).map(|byte| Token { bytes: vec![byte], control: false }).collect();
        let vocabulary = Vocabulary::new(&tokens, &[0], Box::new(|_| Vec::new())).unwrap();
        Compiler::new(Arc::new(vocabulary)).unwrap().compile(&spec).unwrap()
    }

    #[test]
    fn refused_token_leaves_the_matcher_where_it_stands() {
        let mut matcher = matcher(Spec::Regex { regex: "ab[0-9]{2}c".to_owned() });
        let mask = |matcher: &mut Matcher| {
            let mut words = [0; 8];
            matcher.mask(&mut words).unwrap();
            words
        };
        for token in b"ab12c" {
            let before = mask(&mut matcher);
            for other in 1..=255u32 {
                let allowed = before[other as usize / 32] >> (other % 32) & 1 == 1;
                if !allowed {
                    assert!(matches!(matcher.accept(other), Err(GrammarError::Refused { .. })), "{other}");
                }
            }
            assert_eq!(mask(&mut matcher), before);
            matcher.accept((*token).into()).unwrap();
        }
        assert!(matcher.is_complete());
    }

    /// Found where each of a palindrome's last 200 tokens had two searches through all of its ways on, for a quarter of a second.
    #[test]
    fn a_way_out_that_is_never_found_is_looked_for_ever_more_seldom() {
        let mut matcher = matcher(Spec::Gbnf { grammar: r#"root ::= "a" root "a" | "b" root "b" | "c""#.to_owned() });
        let pick = |step: u32| if step * step % 7 < 3 { b'a' } else { b'b' };
        (0..100).for_each(|step| matcher.accept(pick(step).into()).unwrap());
        let mut searches = 0;
        for step in 100..199 {
            matcher.land(pick(step).into(), 200 - step as usize).unwrap();
            searches += usize::from(matcher.rest.left == matcher.rest.whole);
        }
        assert_eq!((searches, matcher.rest.whole), (6, 63));
    }

    /// Found where a function's name went on to the end of its budget.
    #[test]
    fn a_name_is_left_by_the_bracket_behind_it() {
        let mut matcher =
            matcher(Spec::Gbnf { grammar: r#"root ::= [a-z] [a-z0-9]* "(" [a-z]* ")" " {\n}""#.to_owned() });
        matcher.accept(b'f'.into()).unwrap();
        assert!(matcher.can_complete(20));
    }

    /// Found where a palindrome was searched for an end of 2,000 tokens, for half a minute.
    #[test]
    fn a_way_out_with_too_many_choices_is_given_up() {
        let landing = |length: usize| matcher(Spec::Regex { regex: format!("([ab]{{{length}}})+") }).landing(10_000);
        assert_eq!((landing(400), landing(600)), (10_000 - (10_000 - 400) / 4, BLIND_LANDING));
    }
}
