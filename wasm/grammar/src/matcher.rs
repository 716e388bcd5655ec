//! A position in an output.

use inglenook_grammar::Match;
use wasm_bindgen::prelude::*;

use crate::errors::to_js;

/// A position in an output that a grammar describes.
#[wasm_bindgen]
pub struct WasmMatcher {
    matcher: Box<dyn Match>,
    mask: Vec<u32>,
}

impl WasmMatcher {
    /// `words` is the length of a mask, in units of 32 tokens.
    pub(crate) fn new(matcher: Box<dyn Match>, words: usize) -> WasmMatcher {
        WasmMatcher { matcher, mask: vec![0; words] }
    }
}

#[wasm_bindgen]
impl WasmMatcher {
    /// Which tokens may come next: bit `t % 32` of word `t / 32` is set if token `t` may.
    pub fn mask(&mut self) -> Result<Vec<u32>, JsValue> {
        self.matcher.mask(&mut self.mask).map_err(to_js)?;
        Ok(self.mask.clone())
    }

    /// Go on by a token. Throws, and stays where it was, for one that may not come next.
    pub fn accept(&mut self, token: u32) -> Result<(), JsValue> {
        self.matcher.accept(token).map_err(to_js)
    }

    /// How many tokens before the end of a budget `land` should take the place of `accept`; to be asked at the beginning.
    pub fn landing(&mut self, budget: usize) -> usize {
        self.matcher.landing(budget)
    }

    /// Go on by a token if the output can still be completed by `budget` tokens with this one, else by one that completes it
    /// sooner. Gives the token that was taken.
    pub fn land(&mut self, token: u32, budget: usize) -> Result<u32, JsValue> {
        self.matcher.land(token, budget).map_err(to_js)
    }

    /// The tokens that must come next, whatever the model says; not accepted by this.
    pub fn forced(&mut self) -> Result<Vec<u32>, JsValue> {
        self.matcher.forced().map_err(to_js)
    }

    /// Whether the output may end here.
    #[wasm_bindgen(js_name = isComplete)]
    pub fn is_complete(&mut self) -> bool {
        self.matcher.is_complete()
    }

    /// Whether the output is complete and nothing but its end may follow.
    #[wasm_bindgen(js_name = mustStop)]
    pub fn must_stop(&mut self) -> bool {
        self.matcher.must_stop()
    }
}
