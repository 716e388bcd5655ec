//! The second module, which compiles grammars, as the engine asks it: JavaScript loads it when a request first needs it.

use inglenook_grammar::{GrammarError, Grammars, Match};
use js_sys::{Error, Uint32Array};
use wasm_bindgen::prelude::*;

#[wasm_bindgen(typescript_custom_section)]
const TYPESCRIPT: &str = r#"
/** The second module's compiler for the vocabulary of one model. */
export interface JsGrammars {
  /** A matcher for a description as JSON; throws what is wrong with it. */
  compile(specJson: string): JsMatcher;
}

/** A position in a text that a grammar describes. */
export interface JsMatcher {
  /** The tokens that may come next: bit t % 32 of word t / 32. */
  mask(): Uint32Array;
  accept(token: number): void;
  /** How many tokens before the end of a budget `land` should take the place of `accept`. */
  landing(budget: number): number;
  /** Goes on by a token with which the text can still end within `budget` tokens; gives the token taken. */
  land(token: number, budget: number): number;
  forced(): Uint32Array;
  isComplete(): boolean;
  mustStop(): boolean;
  free(): void;
}
"#;

#[wasm_bindgen]
extern "C" {
    /// The second module's compiler.
    #[wasm_bindgen(typescript_type = "JsGrammars")]
    pub type JsGrammars;

    #[wasm_bindgen(method, catch, js_name = compile)]
    fn compile_js(this: &JsGrammars, spec_json: &str) -> Result<JsMatcher, JsValue>;

    type JsMatcher;

    #[wasm_bindgen(method, catch, js_name = mask)]
    fn mask_js(this: &JsMatcher) -> Result<Uint32Array, JsValue>;
    #[wasm_bindgen(method, catch, js_name = accept)]
    fn accept_js(this: &JsMatcher, token: u32) -> Result<(), JsValue>;
    #[wasm_bindgen(method, catch, js_name = landing)]
    fn landing_js(this: &JsMatcher, budget: usize) -> Result<usize, JsValue>;
    #[wasm_bindgen(method, catch, js_name = land)]
    fn land_js(this: &JsMatcher, token: u32, budget: usize) -> Result<u32, JsValue>;
    #[wasm_bindgen(method, catch, js_name = forced)]
    fn forced_js(this: &JsMatcher) -> Result<Uint32Array, JsValue>;
    #[wasm_bindgen(method, catch, js_name = isComplete)]
    fn is_complete_js(this: &JsMatcher) -> Result<bool, JsValue>;
    #[wasm_bindgen(method, catch, js_name = mustStop)]
    fn must_stop_js(this: &JsMatcher) -> Result<bool, JsValue>;
    #[wasm_bindgen(method, js_name = free)]
    fn free_js(this: &JsMatcher);
}

impl Grammars for JsGrammars {
    fn compile(&mut self, spec_json: &str) -> Result<Box<dyn Match>, GrammarError> {
        Ok(Box::new(Owned(self.compile_js(spec_json).map_err(failure)?)))
    }
}

/// A matcher whose memory in the other module is given back with it.
struct Owned(JsMatcher);

impl Drop for Owned {
    fn drop(&mut self) {
        self.0.free_js();
    }
}

impl Match for Owned {
    fn mask(&mut self, words: &mut [u32]) -> Result<(), GrammarError> {
        let mask = self.0.mask_js().map_err(failure)?;
        let shared = words.len().min(mask.length() as usize);
        mask.subarray(0, shared as u32).copy_to(&mut words[..shared]);
        words[shared..].fill(0);
        Ok(())
    }

    fn accept(&mut self, token: u32) -> Result<(), GrammarError> {
        self.0.accept_js(token).map_err(failure)
    }

    fn landing(&mut self, budget: usize) -> usize {
        self.0.landing_js(budget).unwrap_or(0)
    }

    fn land(&mut self, token: u32, budget: usize) -> Result<u32, GrammarError> {
        self.0.land_js(token, budget).map_err(failure)
    }

    fn forced(&mut self) -> Result<Vec<u32>, GrammarError> {
        Ok(self.0.forced_js().map_err(failure)?.to_vec())
    }

    fn is_complete(&mut self) -> bool {
        self.0.is_complete_js().unwrap_or(true)
    }

    fn must_stop(&mut self) -> bool {
        // A module that has died constrains nothing any more: the answer ends.
        self.0.must_stop_js().unwrap_or(true)
    }
}

/// An error of the other module, under its own code.
fn failure(thrown: JsValue) -> GrammarError {
    match thrown.dyn_ref::<Error>() {
        Some(error) if error.name() == "BadRequest" => GrammarError::Told(error.message().into()),
        Some(error) => GrammarError::Internal(error.message().into()),
        None => GrammarError::Internal(format!("{thrown:?}")),
    }
}
