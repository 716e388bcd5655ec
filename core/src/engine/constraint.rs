//! What an answer is held to: free text up to a trigger, then a grammar that says which tokens may come.

use std::cell::RefCell;
use std::collections::VecDeque;
use std::fmt;
use std::rc::Rc;

use inglenook_grammar::{GrammarError, Grammars, Match, Spec};

use super::request::RequestError;
use crate::error::Error;
use crate::kernels::sampling::mask_words;
use crate::text::{Special, Tokenizer};

/// Where an engine finds who compiles grammars for its vocabulary. Clones are the same place.
#[derive(Clone, Default)]
pub struct GrammarSlot(Rc<RefCell<Option<Box<dyn Grammars>>>>);

impl GrammarSlot {
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

impl fmt::Debug for GrammarSlot {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_tuple("GrammarSlot").field(&self.0.borrow().is_some()).finish()
    }
}

/// A grammar, and when it holds.
pub(super) struct Constraint {
    grammars: GrammarSlot,
    spec: String,
    /// At the beginning of the grammar, for when it begins to hold.
    ready: Option<Box<dyn Match>>,
    /// Under way, while the grammar holds.
    current: Option<Box<dyn Match>>,
    /// How many tokens may be left when it is looked at again how the text can be brought to its end; at first, as many as there are.
    landing: usize,
    /// Whether it is being brought to its end.
    lands: bool,
    trigger: Option<Trigger>,
    /// Whether the answer goes on freely once a text of the grammar is complete, up to the next trigger.
    repeats: bool,
    mask: Vec<u32>,
}

impl fmt::Debug for Constraint {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Constraint").field("spec", &self.spec).field("holds", &self.holds()).finish_non_exhaustive()
    }
}

/// What an answer is to be held to.
#[derive(Debug)]
pub(super) struct Wanted {
    /// The grammar.
    pub spec: Spec,
    /// The text behind which it holds; without one, it holds from the beginning.
    pub trigger: Option<String>,
    /// Whether the answer may go on freely behind it.
    pub repeats: bool,
}

/// A text in front of what the grammar describes.
#[derive(Debug)]
struct Trigger {
    bytes: Vec<u8>,
    /// The end of what was generated, as far as it may begin the trigger.
    tail: Vec<u8>,
}

impl Trigger {
    /// Takes the bytes of the next token; how many of them follow the trigger, if it is complete with them.
    fn push(&mut self, bytes: &[u8]) -> Option<usize> {
        self.tail.extend_from_slice(bytes);
        let found = self.tail.windows(self.bytes.len()).position(|window| window == self.bytes);
        let kept = match found {
            Some(_) => 0,
            None => self.tail.len().min(self.bytes.len() - 1),
        };
        let rest = found.map(|at| self.tail.len() - at - self.bytes.len());
        self.tail.drain(..self.tail.len() - kept);
        rest
    }
}

impl Constraint {
    /// A grammar over a vocabulary of `vocab` tokens that holds from the beginning, or from behind the `wanted` trigger on.
    ///
    /// # Errors
    /// Where the grammar cannot be compiled, or nobody is there to compile it.
    pub fn new(grammars: GrammarSlot, wanted: Wanted, vocab: u32) -> Result<Constraint, Error> {
        let Wanted { spec, trigger, repeats } = wanted;
        let spec = spec.to_json();
        let ready = grammars.compile(&spec)?;
        let trigger = trigger.filter(|trigger| !trigger.is_empty());
        let trigger = trigger.map(|text| Trigger { bytes: text.into_bytes(), tail: Vec::new() });
        let mask = vec![0; mask_words(vocab) as usize];
        let mut constraint = Constraint {
            grammars,
            spec,
            ready: Some(ready),
            current: None,
            landing: 0,
            lands: false,
            trigger,
            repeats,
            mask,
        };
        if constraint.trigger.is_none() {
            constraint.begin()?;
        }
        Ok(constraint)
    }

    /// Lets the grammar hold from here on.
    fn begin(&mut self) -> Result<(), Error> {
        self.current = Some(match self.ready.take() {
            Some(ready) => ready,
            None => self.grammars.compile(&self.spec)?,
        });
        self.landing = usize::MAX;
        self.lands = false;
        Ok(())
    }

    /// Whether the next token must be one of [`Constraint::mask`].
    pub fn holds(&self) -> bool {
        self.current.is_some()
    }

    /// Takes the next token, with which at most `budget` tokens may still come; the tokens that stand for it. Where a trigger
    /// ends inside of a token, they are those up to the trigger's end, so that the grammar begins where it should. Where the
    /// text could not be completed any more, it is another token of the grammar, with which it can.
    ///
    /// # Errors
    /// Where the grammar does not allow the token, or cannot be compiled again.
    pub fn take(&mut self, tokenizer: &Tokenizer, token: u32, budget: usize) -> Result<Vec<u32>, Error> {
        let Some(current) = &mut self.current else { return self.watch(tokenizer, token) };
        if !self.lands && budget <= self.landing {
            self.landing = current.landing(budget);
            self.lands = self.landing >= budget;
        }
        let taken = match self.lands {
            true => current.land(token, budget)?,
            false => {
                current.accept(token)?;
                token
            }
        };
        if self.repeats && current.must_stop() {
            self.current = None;
        }
        Ok(vec![taken])
    }

    /// Looks for the trigger.
    fn watch(&mut self, tokenizer: &Tokenizer, token: u32) -> Result<Vec<u32>, Error> {
        let bytes = tokenizer.token_bytes(token);
        let Some(rest) = self.trigger.as_mut().and_then(|trigger| trigger.push(bytes)) else { return Ok(vec![token]) };
        self.begin()?;
        Ok(match std::str::from_utf8(&bytes[..bytes.len() - rest]) {
            Ok(front) if rest > 0 => tokenizer.encode(front, Special::AsText, false),
            _ => vec![token],
        })
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
        if let Some(current) = &mut self.current {
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
        Ok(&self.mask)
    }
}
