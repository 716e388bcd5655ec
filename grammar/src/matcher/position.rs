//! A position in an output that a grammar describes.

use std::sync::Arc;

use llguidance::api::StopReason;

use super::Vocabulary;
use super::failure;
use crate::{GrammarError, Match};

/// A position in an output. A clone goes on by itself, and costs as much as the output so far is long.
#[derive(Clone)]
pub struct Matcher {
    inner: llguidance::Matcher,
    vocabulary: Arc<Vocabulary>,
    ended: bool,
}

impl Matcher {
    pub(super) fn new(inner: llguidance::Matcher, vocabulary: Arc<Vocabulary>) -> Matcher {
        Matcher { inner, vocabulary, ended: false }
    }

    /// Whether llguidance has come to the end of the grammar by itself.
    fn is_finished(&self) -> bool {
        self.inner.is_stopped() && !self.inner.is_error()
    }

    fn failure(&self, error: anyhow::Error) -> GrammarError {
        // In a failed matcher the reason is lost; what the parser says names its limits.
        let reason = match self.inner.stop_reason() {
            StopReason::InternalError => reason_of(&error.to_string()),
            reason => reason,
        };
        failure::of_step(&error.to_string(), reason)
    }

    fn is_eos(&self, token: u32) -> bool {
        self.vocabulary.eos().contains(&token)
    }
}

/// llguidance names a limit by its text once a matcher has failed.
fn reason_of(message: &str) -> StopReason {
    let says = |word: &str| message.contains(word);
    if says("NoExtensionBias") {
        StopReason::NoExtensionBias
    } else if says("too complex") || says("too many") || says("fuel") || says("limit") || says("TooComplex") {
        StopReason::ParserTooComplex
    } else {
        StopReason::InternalError
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
        let allowed = self.inner.compute_mask().map_err(|error| self.failure(error))?;
        let allowed = &allowed.as_slice()[..self.vocabulary.len().div_ceil(32)];
        let shared = words.len().min(allowed.len());
        words[..shared].copy_from_slice(&allowed[..shared]);
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
            Ok(1) => Ok(()),
            Ok(_) => Err(GrammarError::Refused { token }),
            Err(error) => Err(self.failure(error)),
        }
    }

    fn forced(&mut self) -> Result<Vec<u32>, GrammarError> {
        if self.ended || self.is_finished() {
            return Ok(Vec::new());
        }
        let tokens = self.inner.compute_ff_tokens();
        match self.inner.get_error() {
            Some(error) => Err(self.failure(anyhow::Error::msg(error))),
            None => Ok(tokens),
        }
    }

    fn is_complete(&mut self) -> bool {
        self.ended || self.is_finished() || self.inner.is_accepting().unwrap_or(false)
    }

    fn must_stop(&mut self) -> bool {
        self.ended || self.is_finished()
    }
}
