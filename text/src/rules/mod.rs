//! Stop strings and content rules: what ends a stream of text, or is masked in it, before any of it is shown.
//!
//! # What is matched
//!
//! A rule is a string or a regular expression (syntax and leftmost-first matches of Rust's `regex`), and either ends the text before
//! its match or puts a mask in the match's place. What goes out depends on the text alone, not on how it is cut into pieces:
//!
//! 1. **The text ends where the first match of a stop is complete.** Of several complete at the same byte the one that begins first
//!    counts, then a stop string before a rule. The text before its beginning is the last to go out. What comes after the match was
//!    never said, so that a match of a mask that would have gone on beyond is none.
//! 2. **Masks take the leftmost match,** of several that begin at the same byte the longest, of several as long the rule listed
//!    first; the next match begins behind it. A mask's text is not matched again.
//! 3. **A match of a mask that begins before a stop's match is masked whole,** even where the two overlap. One that begins with or
//!    within the stop's match is not shown.
//! 4. **A match is at most [`MAX_MATCH`] bytes long.** A regex that has decided nothing for so long takes the match it has, or gives up
//!    what it has begun and begins anew there.
//!
//! # What is held back
//!
//! The text from the first byte on that some continuation could still make part of a match, and not a byte more: never more than
//! [`MAX_MATCH`]. Time is linear in the text. For a string a byte costs a constant (Knuth, Morris and Pratt's automaton), for a regex
//! at most the number of its states. (A mask whose match might have been longer looks again at what it had looked ahead: at most
//! [`MAX_MATCH`] for each match.)

mod error;
mod finder;
mod literal;
mod regex;
mod segment;
mod spec;

use std::ops::Range;

pub use error::RuleError;
pub use segment::{Segment, Segmenter};
pub use spec::{Action, DEFAULT_MASK, Pattern, RuleSpec};

use finder::{Finder, Wanted};

/// Most stop strings and rules together.
pub const MAX_RULES: usize = 1024;
/// Longest match in bytes, and with that the most that is ever held back.
pub const MAX_MATCH: usize = 16 << 10;
/// Longest mask in bytes.
pub const MAX_MASK: usize = 1 << 10;
/// Most bytes of all strings and regexes together.
pub const MAX_PATTERNS: usize = 256 << 10;
/// Most memory for the automata of all regexes together, in bytes.
pub const MAX_AUTOMATA: usize = 4 << 20;

/// What ended a text.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Ended {
    /// A stop string.
    Stop,
    /// A content rule.
    Rule,
}

/// What a piece of text lets out.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct Passed {
    /// Text that may be shown now.
    pub text: String,
    /// Set once a stop has been met: nothing goes out any more.
    pub ended: Option<Ended>,
}

/// Applies stop strings and content rules to a stream of text.
#[derive(Debug, Default)]
pub struct ContentRules {
    stops: Vec<(Finder, Ended)>,
    /// Finders with what is put in place of their matches.
    masks: Vec<(Finder, String)>,
    /// Text that has not gone out.
    held: String,
    /// Where `held` begins: bytes of the stream before it.
    begin: usize,
    ended: Option<Ended>,
}

impl ContentRules {
    /// Watches for `stops` (empty ones among them never match) and for what `rules` say.
    ///
    /// # Errors
    /// [`RuleError`], which names the rule that cannot be served.
    pub fn new<S: AsRef<str>>(stops: &[S], rules: &[RuleSpec]) -> Result<Self, RuleError> {
        let stops = stops.iter().map(AsRef::as_ref).filter(|stop| !stop.is_empty());
        spec::check(stops.clone(), rules)?;
        let mut this = Self::default();
        for stop in stops {
            this.stops.push((Finder::literal(stop), Ended::Stop));
        }
        let mut memory = MAX_AUTOMATA;
        for rule in rules {
            match &rule.action {
                Action::Stop => this.stops.push((Finder::new(&rule.pattern, Wanted::First, &mut memory)?, Ended::Rule)),
                Action::Mask(mask) => {
                    this.masks.push((Finder::new(&rule.pattern, Wanted::Whole, &mut memory)?, mask.clone()));
                }
            }
        }
        Ok(this)
    }

    /// Takes the next piece of text, and gives what may go out now.
    pub fn push(&mut self, text: &str) -> Passed {
        if self.ended.is_some() {
            return Passed { text: String::new(), ended: self.ended };
        }
        self.held.push_str(text);
        if let Some((stop, ended)) = self.first_stop() {
            self.ended = Some(ended);
            self.held.truncate(stop.end - self.begin);
            let text = self.pass(stop.start, true);
            self.held.clear();
            return Passed { text, ended: self.ended };
        }
        let possible_stop = self.stops.iter().filter_map(|(finder, _)| finder.earliest()).min();
        Passed { text: self.pass(possible_stop.unwrap_or(self.end()), false), ended: None }
    }

    /// What was held back, once the stream has ended without a stop; masked where a match is complete. A new stream may begin then.
    pub fn flush(&mut self) -> String {
        if self.ended.is_some() {
            return String::new();
        }
        let end = self.end();
        self.stops.iter_mut().for_each(|(finder, _)| finder.restart(end));
        self.pass(end, true)
    }

    /// Bytes held back now.
    pub fn held(&self) -> usize {
        self.held.len()
    }

    /// Bytes of the stream so far.
    fn end(&self) -> usize {
        self.begin + self.held.len()
    }

    /// The match of a stop that is complete first, of those the longest, of those the first in the list.
    fn first_stop(&mut self) -> Option<(Range<usize>, Ended)> {
        let mut first: Option<(Range<usize>, Ended)> = None;
        for (finder, ended) in &mut self.stops {
            finder.advance(self.held.as_bytes(), self.begin);
            let Some(found) = finder.decided() else { continue };
            if first.as_ref().is_none_or(|(best, _)| (found.end, found.start) < (best.end, best.start)) {
                first = Some((found, *ended));
            }
        }
        first
    }

    /// Lets go what is decided before `limit`, where a stop may begin or does; all up to there if the text is at its end.
    fn pass(&mut self, limit: usize, at_end: bool) -> String {
        let mut out = String::new();
        let mut done = self.begin;
        while let Some((found, rule)) = self.next_mask(at_end).filter(|(found, _)| found.start < limit) {
            out.push_str(&self.held[done - self.begin..found.start - self.begin]);
            out.push_str(&self.masks[rule].1);
            done = found.end;
            let overlapped = self.masks.iter_mut().filter(|(finder, _)| finder.earliest().is_some_and(|at| at < done));
            overlapped.for_each(|(finder, _)| finder.restart(done));
        }
        let possible_mask = self.masks.iter().filter_map(|(finder, _)| finder.earliest()).min();
        let release = possible_mask.filter(|_| !at_end).unwrap_or(limit).min(limit).max(done);
        out.push_str(&self.held[done - self.begin..release - self.begin]);
        self.held.drain(..release - self.begin);
        self.begin = release;
        out
    }

    /// The next match to mask, if it is decided, and the number of its mask.
    fn next_mask(&mut self, at_end: bool) -> Option<(Range<usize>, usize)> {
        let mut best: Option<(Range<usize>, usize)> = None;
        let mut undecided = usize::MAX;
        for (i, (finder, _)) in self.masks.iter_mut().enumerate() {
            finder.advance(self.held.as_bytes(), self.begin);
            if at_end {
                finder.finish();
            }
            match finder.decided() {
                Some(found) => {
                    let order = |range: &Range<usize>| (range.start, usize::MAX - range.end);
                    if best.as_ref().is_none_or(|(best, _)| order(&found) < order(best)) {
                        best = Some((found, i));
                    }
                }
                None => undecided = undecided.min(finder.earliest().unwrap_or(usize::MAX)),
            }
        }
        best.filter(|(found, _)| found.start < undecided)
    }
}

#[cfg(test)]
mod tests;
