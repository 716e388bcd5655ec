//! A position in an output that a grammar describes.

use std::collections::VecDeque;
use std::sync::Arc;

use llguidance::toktrie::TokenizerEnv;

use super::chart::Chart;
use super::compiler::Compiled;
use super::guard::Guard;
use super::{Vocabulary, closing, failure};
use crate::{GrammarError, Match};

/// The longest completion that is looked for before an output is landed, in tokens.
const LONGEST_COMPLETION: usize = 2000;

/// How many tokens before the last possible one an output is landed, beside what one token may open.
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
    compiled: Arc<Compiled>,
    /// The tokens so far.
    taken: Vec<u32>,
    /// What they have gone through of the grammar, as far as completions were looked for; none where that cannot be followed.
    chart: Option<Option<Chart>>,
    /// Tokens that are known to complete the output from here.
    completion: Option<VecDeque<u32>>,
    ended: bool,
}

impl Matcher {
    pub(super) fn new(
        inner: llguidance::Matcher,
        vocabulary: Arc<Vocabulary>,
        guard: Option<Guard>,
        compiled: Arc<Compiled>,
    ) -> Matcher {
        let (taken, chart, completion) = (Vec::new(), None, None);
        Matcher { inner, vocabulary, guard, compiled, taken, chart, completion, ended: false }
    }

    /// Whether llguidance has come to the end of the grammar by itself.
    fn is_finished(&self) -> bool {
        self.inner.is_stopped() && !self.inner.is_error()
    }

    fn is_eos(&self, token: u32) -> bool {
        self.vocabulary.eos().contains(&token)
    }

    /// Keep up with a token that was taken.
    fn advance(&mut self, token: u32) {
        if let Some(guard) = &mut self.guard {
            guard.push(self.vocabulary.tok_trie().token(token));
        }
        self.taken.push(token);
        self.completion = self.completion.take().filter(|known| known.front() == Some(&token));
        if let Some(known) = &mut self.completion {
            known.pop_front();
        }
    }

    /// Whether the output can be completed by at most `limit` more tokens.
    fn can_complete(&mut self, limit: usize) -> bool {
        if self.completion.as_ref().is_none_or(|known| known.len() > limit) {
            self.completion = self.find_completion(limit).map(VecDeque::from);
        }
        self.completion.is_some()
    }

    /// Tokens that complete the output, at most `limit` of them.
    pub(super) fn find_completion(&mut self, limit: usize) -> Option<Vec<u32>> {
        if self.is_complete() {
            return Some(Vec::new());
        }
        let (compiled, vocabulary) = (self.compiled.clone(), self.vocabulary.clone());
        let rules = compiled.rules(&vocabulary)?;
        let chart = self.chart.get_or_insert_with(|| Chart::new(rules));
        if let Some(known) = chart {
            let new = &self.taken[known.tokens..];
            if new.iter().try_for_each(|token| known.push(rules, &vocabulary, *token)).is_none() {
                *chart = None;
            }
        }
        closing::completion(self, rules, self.chart.as_ref()?.as_ref()?, &vocabulary, limit)
    }

    /// Whether the output is complete behind these tokens.
    pub(super) fn ends_with(&self, tokens: &[u32]) -> bool {
        let mut end = self.clone();
        tokens.iter().all(|token| end.accept(*token).is_ok()) && end.is_complete()
    }

    /// Take the next token of the known completion.
    fn complete(&mut self) -> Result<u32, GrammarError> {
        let known = self.completion.as_ref().and_then(|known| known.front());
        let token = known.copied().unwrap_or(self.vocabulary.eos()[0]);
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
        let Some(completion) = self.find_completion(budget.min(LONGEST_COMPLETION)) else {
            return budget.min(BLIND_LANDING);
        };
        let rules = self.compiled.rules(&self.vocabulary);
        // A token is at least a byte.
        let opened = rules.map_or(0, |rules| rules.longest_rest() as usize);
        let spare = budget.saturating_sub(completion.len());
        budget - spare.saturating_sub(EARLY) / (opened + 1)
    }

    fn land(&mut self, token: u32, budget: usize) -> Result<u32, GrammarError> {
        let mut next = self.clone();
        next.accept(token)?;
        if !next.ended && !next.can_complete(budget.saturating_sub(1)) && self.can_complete(budget) {
            return self.complete();
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

    /// Found where a palindrome, whose end is all of it once more, was searched for one character by character.
    #[test]
    fn landing_knows_ends_that_depend_on_the_whole_output() {
        let mut matcher = matcher(Spec::Gbnf { grammar: r#"root ::= "a" root "a" | "b" root "b" | "c""#.to_owned() });
        let pick = |step: u32| if step * step % 7 < 3 { b'a' } else { b'b' };
        (0..100).for_each(|step| matcher.accept(pick(step).into()).unwrap());
        assert!(!matcher.can_complete(100));
        assert!(matcher.can_complete(101));
    }

    #[test]
    fn landing_knows_ends_that_are_long() {
        let landing = |length: usize| matcher(Spec::Regex { regex: format!("([ab]{{{length}}})+") }).landing(10_000);
        assert!((400..10_000).contains(&landing(400)), "{}", landing(400));
        assert!((1_000..10_000).contains(&landing(1_000)), "{}", landing(1_000));
    }
}
