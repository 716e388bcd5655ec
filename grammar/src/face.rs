//! What is asked of grammars: at once, where they are compiled, and from another thread, by an engine that goes on meanwhile. Natively
//! [`GrammarThread`](crate::GrammarThread) takes the one to the other; in the browser it is a second module in a worker of its own, which
//! JavaScript starts when the first request needs it.

use std::future::Future;
use std::pin::Pin;

use crate::{GrammarError, Position, Step};

/// What is there later.
pub type Later<T> = Pin<Box<dyn Future<Output = Result<T, GrammarError>>>>;

/// [`Grammars`] that are compiled while whoever asks goes on.
pub trait AsyncGrammars {
    /// Begins to compile what `spec_json` (a [`Spec`](crate::Spec) as JSON) describes: a matcher at its beginning, or what is wrong with
    /// the description. Where the future is dropped, nobody wants it any more.
    fn compile(&self, spec_json: &str) -> Later<Box<dyn AsyncMatch>>;
}

/// A [`Match`] elsewhere. Dropping it gives back what it holds there.
pub trait AsyncMatch {
    /// Begins to go on by a step: where that leads, or why the grammar cannot be followed any further. One step at a time.
    fn step(&mut self, step: Step) -> Later<Position>;
}

/// Compiles descriptions of outputs for one vocabulary.
pub trait Grammars {
    /// A matcher at the beginning of what `spec_json` (a [`Spec`](crate::Spec) as JSON) describes.
    ///
    /// # Errors
    /// When the description is wrong, unsupported or too large.
    fn compile(&mut self, spec_json: &str) -> Result<Box<dyn Match>, GrammarError>;
}

/// A position in an output that a grammar describes.
///
/// There are two kinds of errors. [`GrammarError::Refused`] says that a token may not come here: the matcher stands where it stood, and
/// each method answers as before. Any other error is the matcher's end: from then on [`Match::mask`], [`Match::accept`], [`Match::land`]
/// and [`Match::forced`] give errors, and neither [`Match::is_complete`] nor [`Match::must_stop`] is true, so that nobody takes what is
/// there for whole.
pub trait Match {
    /// Write which tokens may come next: bit `t % 32` of `words[t / 32]` is set if token `t` may. Tokens outside the
    /// vocabulary may not, and an end-of-text token may exactly where the output may end.
    ///
    /// # Errors
    /// When the grammar is too complex to be followed from here.
    fn mask(&mut self, words: &mut [u32]) -> Result<(), GrammarError>;

    /// Go on by a token that was chosen.
    ///
    /// # Errors
    /// [`GrammarError::Refused`] when the token is not one that may come next.
    fn accept(&mut self, token: u32) -> Result<(), GrammarError>;

    /// How many tokens must be left of a budget when this is asked again, since what completes the output grows with it; the whole
    /// budget where it must be landed from here on. To be asked at the beginning, where it may cost some tens of milliseconds.
    fn landing(&mut self, budget: usize) -> usize;

    /// Go on by `token` if the output can then still be completed by at most `budget` tokens, this one included and the
    /// end-of-text token not; else by one that completes it sooner. Gives the token that was taken.
    ///
    /// Once the output can be completed within the budget, it will be, if from there on every token that is not forced is taken by this
    /// (and the budget is counted down by every token). Where there is no completion at all, `token` is taken. Looking for one
    /// costs as much as the output is long, so this is for the last tokens of a budget: see [`Match::landing`].
    ///
    /// # Errors
    /// [`GrammarError::Refused`] when the token is not one that may come next.
    fn land(&mut self, token: u32, budget: usize) -> Result<u32, GrammarError>;

    /// The tokens that must come next whatever the model says, in its own tokenisation; often none. They are not accepted
    /// by this.
    ///
    /// # Errors
    /// When the grammar is too complex to be followed from here.
    fn forced(&mut self) -> Result<Vec<u32>, GrammarError>;

    /// Whether the output may end here.
    fn is_complete(&mut self) -> bool;

    /// Whether the output is complete and nothing but its end may follow.
    fn must_stop(&mut self) -> bool;

    /// The same position, which goes on by itself; costs as much as the output so far is long.
    fn fork(&self) -> Box<dyn Match>;
}
