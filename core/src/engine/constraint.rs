//! What an answer is held to: free text up to where its grammar begins, then the grammar, which says which tokens may come.
//!
//! Where a thought ends and an answer begins is the output parser's to say; nothing here looks for it.

use std::cell::RefCell;
use std::collections::VecDeque;
use std::fmt;
use std::rc::Rc;

use inglenook_grammar::{GrammarError, Grammars, Match, Spec};

use super::request::RequestError;
use crate::error::Error;
use crate::kernels::sampling::mask_words;
use inglenook_text::output::OutputParser;

/// Where an engine finds who compiles grammars for its vocabulary. Clones are the same place.
#[derive(Clone, Default)]
pub struct GrammarBackend(Rc<RefCell<Option<Box<dyn Grammars>>>>);

impl GrammarBackend {
    /// Puts somebody there.
    pub fn fill(&self, grammars: Box<dyn Grammars>) {
        *self.0.borrow_mut() = Some(grammars);
    }

    /// A matcher for a description.
    ///
    /// # Errors
    /// What is wrong with the description; nobody is there to compile it.
    pub(super) fn compile(&self, spec: &str) -> Result<Box<dyn Match>, Error> {
        let mut grammars = self.0.borrow_mut();
        Ok(grammars.as_mut().ok_or(RequestError::NoGrammars)?.compile(spec)?)
    }
}

impl fmt::Debug for GrammarBackend {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_tuple("GrammarBackend").field(&self.0.borrow().is_some()).finish()
    }
}

/// A grammar, and when it holds.
pub(super) struct Constraint {
    grammars: GrammarBackend,
    spec: String,
    /// At the beginning of the grammar, for when it begins to hold.
    ready: Option<Box<dyn Match>>,
    /// Under way, while the grammar holds.
    current: Option<Box<dyn Match>>,
    start: Start,
    /// The end of what was generated, as far as it may begin the text behind which the grammar holds.
    tail: Vec<u8>,
    /// Whether the answer goes on freely once a text of the grammar is complete, up to where it begins again.
    repeats: bool,
    /// Whether the text is brought to its end before the tokens run out.
    closes: bool,
    /// How many tokens may be left when it is looked at again how the text can be brought to its end; at first, as many as there are.
    closing_at: usize,
    /// Whether it is being brought to its end.
    is_closing: bool,
    /// Whether another token was taken than the model chose, so that the text ends sooner than the model would have it.
    is_shortened: bool,
    mask: Vec<u32>,
}

impl fmt::Debug for Constraint {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Constraint").field("spec", &self.spec).field("holds", &self.holds()).finish_non_exhaustive()
    }
}

/// What an answer is to be held to.
#[derive(Debug)]
pub(super) struct OutputConstraint {
    /// The grammar.
    pub spec: Spec,
    /// Where it begins.
    pub start: Start,
    /// Whether the answer may go on freely behind it, up to where it begins again.
    pub repeats: bool,
    /// Whether its text is worth having when the tokens run out: a document is brought to its end then. A call is not, since nobody
    /// should act on one that the model did not finish.
    pub closes: bool,
}

/// Where a grammar begins.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) enum Start {
    /// With the answer's first token; unless this token comes first, which opens a thought, and the rest of the opening behind it.
    AtOnce(Vec<u32>),
    /// Behind the thought.
    Answer,
    /// Behind a text of the answer (one within a thought does not count).
    Behind {
        /// The text.
        text: String,
        /// Whether an answer that ends without it is not what was asked for.
        required: bool,
    },
}

impl Constraint {
    /// A grammar over a vocabulary of `vocab` tokens that holds from where `constraint` says.
    ///
    /// # Errors
    /// Where the grammar cannot be compiled, or nobody is there to compile it.
    pub fn new(grammars: GrammarBackend, constraint: OutputConstraint, vocab: u32) -> Result<Constraint, Error> {
        let OutputConstraint { spec, start, repeats, closes } = constraint;
        let spec = spec.to_json();
        let ready = grammars.compile(&spec)?;
        let mask = vec![0; mask_words(vocab) as usize];
        let mut constraint = Constraint {
            grammars,
            spec,
            ready: Some(ready),
            current: None,
            start,
            tail: Vec::new(),
            repeats,
            closes,
            closing_at: 0,
            is_closing: false,
            is_shortened: false,
            mask,
        };
        if matches!(constraint.start, Start::AtOnce(_)) {
            constraint.begin()?;
        }
        Ok(constraint)
    }

    /// Lets the grammar hold from here on.
    ///
    /// # Errors
    /// Where the grammar cannot be compiled again.
    pub fn begin(&mut self) -> Result<(), Error> {
        self.current = Some(match self.ready.take() {
            Some(ready) => ready,
            None => self.grammars.compile(&self.spec)?,
        });
        self.tail.clear();
        self.closing_at = usize::MAX;
        self.is_closing = false;
        Ok(())
    }

    /// Whether the next token must be one of [`Constraint::mask`].
    pub fn holds(&self) -> bool {
        self.current.is_some()
    }

    /// Where the grammar begins.
    pub fn start(&self) -> &Start {
        &self.start
    }

    /// Whether another token was taken than the model chose, to bring the text to its end.
    pub fn is_shortened(&self) -> bool {
        self.is_shortened
    }

    /// Whether the grammar begins behind `c`, the last character that `parser` has read.
    pub fn begins_behind(&mut self, parser: &OutputParser, c: char) -> bool {
        match &self.start {
            Start::AtOnce(_) => false,
            Start::Answer => parser.answers(),
            Start::Behind { text, .. } => {
                self.tail.extend_from_slice(c.encode_utf8(&mut [0; 4]).as_bytes());
                let excess = self.tail.len().saturating_sub(text.len());
                self.tail.drain(..excess);
                self.tail == text.as_bytes() && !parser.in_reasoning()
            }
        }
    }

    /// Takes the next token, with which at most `budget` tokens may still come; the tokens that stand for it. Where the text could not
    /// be completed any more, that is another token of the grammar, with which it can. `in_call`: a call is under way.
    ///
    /// # Errors
    /// Where the grammar does not allow the token.
    pub fn take(&mut self, token: u32, budget: usize, in_call: bool) -> Result<Vec<u32>, GrammarError> {
        let Some(current) = &mut self.current else { return Ok(vec![token]) };
        if let Start::AtOnce(opening) = &mut self.start {
            let opening = std::mem::take(opening);
            if opening.first() == Some(&token) {
                self.ready = self.current.take();
                self.start = Start::Answer;
                return Ok(opening);
            }
        }
        let closes = self.closes && !in_call;
        if closes && !self.is_closing && budget <= self.closing_at {
            self.closing_at = current.landing(budget);
            self.is_closing = self.closing_at >= budget;
        }
        let taken = match closes && self.is_closing {
            true => current.land(token, budget)?,
            false => {
                current.accept(token)?;
                token
            }
        };
        self.is_shortened |= taken != token;
        if self.repeats && current.must_stop() {
            self.current = None;
        }
        Ok(vec![taken])
    }

    /// Whether nothing may follow any more.
    pub fn must_stop(&mut self) -> bool {
        self.current.as_mut().is_some_and(|current| current.must_stop())
    }

    /// Whether a text of the grammar is complete.
    pub fn is_complete(&mut self) -> bool {
        self.current.as_mut().is_some_and(|current| current.is_complete())
    }

    /// Adds the tokens that must come next.
    ///
    /// # Errors
    /// Where the grammar grows beyond its bounds.
    pub fn forced(&mut self, tokens: &mut VecDeque<u32>) -> Result<(), GrammarError> {
        let may_think = matches!(&self.start, Start::AtOnce(opening) if !opening.is_empty());
        if let Some(current) = self.current.as_mut().filter(|_| !may_think) {
            tokens.extend(current.forced()?);
        }
        Ok(())
    }

    /// The tokens that may come next: bit `t % 32` of word `t / 32` for token t.
    ///
    /// # Errors
    /// Where the grammar grows beyond its bounds.
    pub fn mask(&mut self) -> Result<&[u32], GrammarError> {
        if let Some(current) = &mut self.current {
            current.mask(&mut self.mask)?;
        }
        if let Start::AtOnce(opening) = &self.start
            && let Some(token) = opening.first()
            && let Some(word) = self.mask.get_mut(*token as usize / 32)
        {
            *word |= 1 << (token % 32);
        }
        Ok(&self.mask)
    }

    /// Whether a token may come next.
    ///
    /// # Errors
    /// Where the grammar grows beyond its bounds.
    pub fn allows(&mut self, token: u32) -> Result<bool, GrammarError> {
        let word = self.mask()?.get(token as usize / 32).copied().unwrap_or(0);
        Ok(word >> (token % 32) & 1 == 1)
    }
}
