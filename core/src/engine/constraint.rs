//! What an answer is held to: free text up to where its grammar begins, then the grammar, which says which tokens may come.
//!
//! Where a thought ends and an answer begins is the output parser's to say; nothing here looks for it.

use std::cell::RefCell;
use std::collections::VecDeque;
use std::fmt;
use std::rc::Rc;

use inglenook_grammar::{Asks, AsyncGrammars, AsyncMatch, GrammarError, Later, Position, Spec, Step};

use super::request::RequestError;
use crate::error::Error;
use crate::kernels::sampling::mask_words;
use inglenook_text::output::OutputParser;

/// Where an engine finds who compiles grammars for its vocabulary. Clones are the same place.
#[derive(Clone, Default)]
pub struct GrammarBackend(Rc<RefCell<Option<Box<dyn AsyncGrammars>>>>);

impl GrammarBackend {
    /// Puts somebody there.
    pub fn fill(&self, grammars: Box<dyn AsyncGrammars>) {
        *self.0.borrow_mut() = Some(grammars);
    }

    /// A matcher for a description, which is begun to be compiled.
    ///
    /// # Errors
    /// Nobody is there to compile it.
    fn compile(&self, spec: &str) -> Result<Later<Box<dyn AsyncMatch>>, RequestError> {
        Ok(self.0.borrow().as_ref().ok_or(RequestError::NoGrammars)?.compile(spec))
    }
}

impl fmt::Debug for GrammarBackend {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_tuple("GrammarBackend").field(&self.0.borrow().is_some()).finish()
    }
}

/// A grammar, and when it holds. What it asks of the grammar's matcher is answered later, by who compiles grammars: each step asks once.
pub(super) struct Constraint {
    grammars: GrammarBackend,
    spec: String,
    /// A part of the grammar, whose own error says better what is wrong with the whole.
    part: Option<String>,
    /// At the beginning of the grammar, for when it begins to hold.
    ready: Option<Ready>,
    /// Under way, while the grammar holds.
    current: Option<Box<dyn AsyncMatch>>,
    /// Where `current` stands, as far as it was asked.
    position: Option<Position>,
    /// Tokens that `current` has taken ahead of the answer.
    ahead: VecDeque<u32>,
    /// The token behind them, if it was asked for and may not come.
    refused: Option<u32>,
    start: Start,
    /// The end of what was generated, as far as it may begin the text behind which the grammar holds.
    tail: Vec<u8>,
    /// Whether the answer goes on freely once a text of the grammar is complete, up to where it begins again.
    repeats: bool,
    /// Whether the text is brought to its end before the tokens run out.
    closes: bool,
    /// Whether a call may come, of which nothing is brought to its end: only the output parser knows where one begins.
    may_call: bool,
    /// Whether another token was taken than the model chose, so that the text ends sooner than the model would have it.
    is_shortened: bool,
    mask: Vec<u32>,
}

/// A matcher at its beginning.
enum Ready {
    Compiling(Later<Box<dyn AsyncMatch>>),
    Compiled(Box<dyn AsyncMatch>),
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
    /// A part of it that the caller gave, whose own error says better what is wrong with the whole.
    pub part: Option<Spec>,
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
    /// A grammar over a vocabulary of `vocab` tokens that holds from where `constraint` says. It is begun to be compiled: see
    /// [`Constraint::prepare`].
    ///
    /// # Errors
    /// Where nobody is there to compile the grammar.
    pub fn new(grammars: GrammarBackend, constraint: OutputConstraint, vocab: u32) -> Result<Constraint, Error> {
        let OutputConstraint { spec, part, start, repeats, closes } = constraint;
        let spec = spec.to_json();
        let ready = Some(Ready::Compiling(grammars.compile(&spec)?));
        let mask = vec![0; mask_words(vocab) as usize];
        let may_call = part.is_some();
        Ok(Constraint {
            grammars,
            spec,
            part: part.map(|part| part.to_json()),
            ready,
            current: None,
            position: None,
            ahead: VecDeque::new(),
            refused: None,
            start,
            tail: Vec::new(),
            repeats,
            closes,
            may_call,
            is_shortened: false,
            mask,
        })
    }

    /// Waits until the grammar is compiled, and lets it hold if it begins at once.
    ///
    /// # Errors
    /// Where the grammar cannot be compiled.
    pub async fn prepare(&mut self) -> Result<(), Error> {
        let compiled = self.compiled().await;
        if let (Err(Error::Grammar(_)), Some(part)) = (&compiled, &self.part) {
            // Where it is the part's fault, its own words say so.
            self.grammars.compile(part)?.await?;
        }
        self.ready = Some(Ready::Compiled(compiled?));
        match self.start {
            Start::AtOnce(_) => self.begin().await,
            Start::Answer | Start::Behind { .. } => Ok(()),
        }
    }

    /// Lets the grammar hold from here on.
    ///
    /// # Errors
    /// Where the grammar cannot be compiled again.
    pub async fn begin(&mut self) -> Result<(), Error> {
        self.current = Some(self.compiled().await?);
        self.position = None;
        self.tail.clear();
        Ok(())
    }

    /// The matcher at its beginning, which is compiled again where it was used.
    async fn compiled(&mut self) -> Result<Box<dyn AsyncMatch>, Error> {
        let later = match self.ready.take() {
            Some(Ready::Compiled(matcher)) => return Ok(matcher),
            Some(Ready::Compiling(later)) => later,
            None => self.grammars.compile(&self.spec)?,
        };
        Ok(later.await?)
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

    /// Asks the matcher to go on by a step; where that leads.
    async fn ask(&mut self, step: Step) -> Result<&Position, GrammarError> {
        let Some(current) = &mut self.current else { return Ok(self.position.get_or_insert_default()) };
        let tokens = step.tokens.clone();
        let position = current.step(step).await?;
        let taken = &position.taken;
        self.refused = tokens.get(taken.tokens.len()).copied().filter(|_| taken.is_refused);
        self.ahead.extend(&taken.tokens);
        Ok(self.position.insert(position))
    }

    /// Where the matcher stands, of which only that is asked that is not known.
    async fn position(&mut self, asks: Asks) -> Result<&Position, GrammarError> {
        let is_known = self.position.as_ref().is_some_and(|known| match asks {
            Asks::Nothing => true,
            Asks::Mask => known.mask.is_some() || known.must_stop,
            Asks::Next => known.mask.is_some() || known.must_stop || !known.forced.is_empty(),
        });
        match is_known {
            true => Ok(self.position.get_or_insert_default()),
            false => self.ask(Step { asks, ..Step::default() }).await,
        }
    }

    /// Takes the next token, with which at most `budget` tokens may still come; the tokens that stand for it. None where it may not
    /// come. Where the text could not be completed any more, that is another token of the grammar, with which it can. `behind`: the
    /// tokens that come next if it stands, which are asked of the grammar at once. `in_call`: a call is under way. `asks`: what will be
    /// asked behind them all.
    ///
    /// # Errors
    /// Where the grammar grows beyond its bounds.
    pub async fn take(
        &mut self,
        token: u32,
        behind: impl Iterator<Item = u32>,
        budget: usize,
        in_call: bool,
        asks: Asks,
    ) -> Result<Option<Vec<u32>>, GrammarError> {
        if !self.holds() {
            return Ok(Some(vec![token]));
        }
        if let Start::AtOnce(opening) = &mut self.start {
            let opening = std::mem::take(opening);
            if opening.first() == Some(&token) {
                self.ready = self.current.take().map(Ready::Compiled);
                self.start = Start::Answer;
                return Ok(Some(opening));
            }
        }
        if self.ahead.is_empty() && self.refused != Some(token) {
            let most = if self.may_call { 1 } else { budget.max(1) };
            let tokens = std::iter::once(token).chain(behind).take(most).collect();
            self.ask(Step { tokens, budget, closes: self.closes && !in_call, asks }).await?;
        }
        let Some(taken) = self.ahead.pop_front() else { return Ok(None) };
        self.is_shortened |= taken != token;
        if self.repeats && self.must_stop() {
            self.current = None;
        }
        Ok(Some(vec![taken]))
    }

    /// Whether nothing may follow any more, as far as was asked.
    pub fn must_stop(&self) -> bool {
        self.holds() && self.ahead.is_empty() && self.position.as_ref().is_some_and(|position| position.must_stop)
    }

    /// Whether a text of the grammar is complete.
    ///
    /// # Errors
    /// Where the grammar grows beyond its bounds.
    pub async fn is_complete(&mut self) -> Result<bool, GrammarError> {
        Ok(self.holds() && self.position(Asks::Nothing).await?.is_complete)
    }

    /// What is asked behind a token that is chosen under a mask.
    pub fn asks(&self) -> Asks {
        match &self.start {
            Start::AtOnce(opening) if !opening.is_empty() => Asks::Mask,
            _ => Asks::Next,
        }
    }

    /// Adds the tokens that must come next.
    ///
    /// # Errors
    /// Where the grammar grows beyond its bounds.
    pub async fn forced(&mut self, tokens: &mut VecDeque<u32>) -> Result<(), GrammarError> {
        if self.holds() {
            let asks = self.asks();
            let position = self.position(asks).await?;
            tokens.extend(position.forced.iter().filter(|_| asks == Asks::Next));
        }
        Ok(())
    }

    /// The tokens that may come next: bit `t % 32` of word `t / 32` for token t.
    ///
    /// # Errors
    /// Where the grammar grows beyond its bounds.
    pub async fn mask(&mut self) -> Result<&[u32], GrammarError> {
        if self.holds() {
            let allowed = self.position(Asks::Mask).await?.mask.clone().unwrap_or_default();
            self.mask.fill(0);
            self.mask.iter_mut().zip(allowed).for_each(|(word, allowed)| *word = allowed);
        }
        if let Start::AtOnce(opening) = &self.start
            && let Some(token) = opening.first()
            && let Some(word) = self.mask.get_mut(*token as usize / 32)
        {
            *word |= 1 << (token % 32);
        }
        Ok(&self.mask)
    }

    /// The mask that was asked for last.
    pub fn last_mask(&self) -> &[u32] {
        &self.mask
    }

    /// Whether a token may come next.
    ///
    /// # Errors
    /// Where the grammar grows beyond its bounds.
    pub async fn allows(&mut self, token: u32) -> Result<bool, GrammarError> {
        let word = self.mask().await?.get(token as usize / 32).copied().unwrap_or(0);
        Ok(word >> (token % 32) & 1 == 1)
    }
}
