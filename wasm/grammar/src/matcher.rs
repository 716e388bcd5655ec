//! A text under way.

use inglenook_grammar::{Asks, Position, Session, Step, Taken};
use wasm_bindgen::prelude::*;

use crate::errors::to_js;
use crate::tokenize::Known;

/// How often a step is tried again with texts tokenised that it lacked: each time it may come to others. Those that lack then are cut
/// into the longest tokens.
const MOST_TRIES: u32 = 8;

/// A text under way that a grammar describes.
#[wasm_bindgen]
pub struct WasmMatcher {
    session: Session,
    known: Known,
    /// A step that lacks the tokens of texts.
    halted: Option<Halted>,
}

struct Halted {
    step: Step,
    /// What became of its tokens, if that lacked nothing.
    taken: Option<Taken>,
    tries: u32,
}

impl WasmMatcher {
    pub(crate) fn new(session: Session, known: Known) -> WasmMatcher {
        WasmMatcher { session, known, halted: None }
    }

    /// Goes on with a step; none where it lacks the tokens of texts, and nothing has changed then.
    fn go_on(&mut self, mut halted: Halted) -> Result<Option<Position>, JsValue> {
        halted.tries += 1;
        let is_last = halted.tries == MOST_TRIES;
        let step = &halted.step;
        let taken = match halted.taken.take() {
            Some(taken) => taken,
            None => {
                // Only a search for the end tokenises; what it changes is taken back where it lacked anything.
                let before = self.session.searches(step).then(|| self.session.fork());
                let taken = self.session.take(step).map_err(to_js)?;
                if let Some(before) = before.filter(|_| self.known.is_lacking() && !is_last) {
                    self.session = before;
                    self.halted = Some(halted);
                    return Ok(None);
                }
                taken
            }
        };
        let position = self.session.look(step, taken.clone()).map_err(to_js)?;
        if self.known.is_lacking() && !is_last {
            halted.taken = Some(taken);
            self.halted = Some(halted);
            return Ok(None);
        }
        self.known.take_lacking();
        Ok(Some(position))
    }
}

#[wasm_bindgen]
impl WasmMatcher {
    /// Goes on by tokens, with `budget` tokens to come at most, and looks at where that leads: the words of a `Position`. None where
    /// texts have to be tokenised first: see `WasmGrammars.lacking`, and then `again`.
    pub fn step(
        &mut self,
        tokens: Vec<u32>,
        budget: usize,
        closes: bool,
        asks: u32,
    ) -> Result<Option<Vec<u32>>, JsValue> {
        let step = Step { tokens, budget, closes, asks: Asks::from_word(asks) };
        Ok(self.go_on(Halted { step, taken: None, tries: 0 })?.map(|position| position.to_words()))
    }

    /// Goes on with the step that lacked tokens.
    pub fn again(&mut self) -> Result<Option<Vec<u32>>, JsValue> {
        let Some(halted) = self.halted.take() else { return Ok(None) };
        Ok(self.go_on(halted)?.map(|position| position.to_words()))
    }
}
