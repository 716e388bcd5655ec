//! The search for one rule's next match, in a text that comes piece by piece.

use std::ops::Range;

use super::literal::Literal;
use super::regex::Regex;
use super::{MAX_MATCH, Pattern, RuleError};

/// Which match a finder looks for.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Wanted {
    /// The one that is complete first, and of those the one that begins first: for stops.
    First,
    /// The leftmost, as long as the pattern prefers it: for masks.
    Whole,
}

#[derive(Debug)]
enum Automaton {
    Literal(Literal),
    Regex(Box<Regex>),
}

/// Looks for the next match of a pattern. Positions count the stream's bytes.
#[derive(Debug)]
pub(super) struct Finder {
    automaton: Automaton,
    wanted: Wanted,
    /// Bytes before this one have been looked at.
    at: usize,
    /// A match; it may still become another one that begins earlier or that the pattern prefers.
    found: Option<Range<usize>>,
    /// Whether `found` is what it will stay.
    decided: bool,
}

impl Finder {
    /// Looks for a string, which must not be empty.
    pub fn literal(text: &str) -> Self {
        Self::with(Automaton::Literal(Literal::new(text)), Wanted::First)
    }

    /// Looks for a pattern. The automaton's size is taken from `memory`, in bytes.
    ///
    /// # Errors
    /// [`RuleError`] for a regex that cannot be served.
    pub fn new(pattern: &Pattern, wanted: Wanted, memory: &mut usize) -> Result<Self, RuleError> {
        let automaton = match pattern {
            Pattern::Text(text) => Automaton::Literal(Literal::new(text)),
            Pattern::Regex { regex } => Automaton::Regex(Box::new(Regex::new(regex, memory)?)),
        };
        Ok(Self::with(automaton, wanted))
    }

    fn with(automaton: Automaton, wanted: Wanted) -> Self {
        Self { automaton, wanted, at: 0, found: None, decided: false }
    }

    /// Looks at what has come, until a match is decided. `text` is the stream from byte `begin` on.
    pub fn advance(&mut self, text: &[u8], begin: usize) {
        while !self.decided {
            let Some(&byte) = text.get(self.at - begin) else { return };
            let found = match &mut self.automaton {
                Automaton::Literal(literal) => literal.step(byte, self.at),
                Automaton::Regex(regex) => regex.step(byte, self.at, self.found.is_none()),
            };
            self.at += 1;
            self.found = found.or(self.found.take());
            self.decided = self.found.is_some() && (self.wanted == Wanted::First || self.live().is_none());
            if self.live().is_some_and(|start| self.at - start >= MAX_MATCH) {
                self.finish();
            }
        }
    }

    /// Takes the match there is, and gives up what was begun: the text is at its end, or the match too long.
    pub fn finish(&mut self) {
        self.clear();
        self.decided = self.found.is_some();
    }

    /// Looks for the next match from byte `at` on.
    pub fn restart(&mut self, at: usize) {
        self.clear();
        self.at = at;
        self.found = None;
        self.decided = false;
    }

    /// The match, once it is what it will stay.
    pub fn decided(&self) -> Option<Range<usize>> {
        self.found.clone().filter(|_| self.decided)
    }

    /// The first byte that is or may become part of the next match.
    pub fn earliest(&self) -> Option<usize> {
        let found = self.found.as_ref().map(|found| found.start);
        self.live().into_iter().chain(found).min()
    }

    /// Where the earliest match begins that is not complete.
    fn live(&self) -> Option<usize> {
        match &self.automaton {
            Automaton::Literal(literal) => literal.live(self.at),
            Automaton::Regex(regex) => regex.live(),
        }
    }

    fn clear(&mut self) {
        match &mut self.automaton {
            Automaton::Literal(literal) => literal.clear(),
            Automaton::Regex(regex) => regex.clear(),
        }
    }
}
