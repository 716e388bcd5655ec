//! The second module, which compiles grammars, as the engine asks it: JavaScript starts it, in a worker of its own where it can, when a
//! request first needs it.

use inglenook_grammar::{AsyncGrammars, AsyncMatch, GrammarError, Later, Position, Step};
use js_sys::{Error, Promise, Uint32Array};
use wasm_bindgen::prelude::*;
use wasm_bindgen_futures::JsFuture;

#[wasm_bindgen(typescript_custom_section)]
const TYPESCRIPT: &str = r#"
/** The second module's compiler for the vocabulary of one model. */
export interface JsGrammars {
  /** Begins to compile a description as JSON. What is wrong with it is thrown here or by the first step. */
  compile(specJson: string): JsMatcher;
}

/** A text under way that a grammar describes. */
export interface JsMatcher {
  /**
   * Goes on by tokens, with `budget` tokens to come at most, which it is brought to its end by if `closes`; `asks` is what is asked of
   * the position behind them. Gives the words of a `Position`, or a promise of them.
   */
  step(tokens: Uint32Array, budget: number, closes: boolean, asks: number): Uint32Array | Promise<Uint32Array>;
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

    #[wasm_bindgen(method, catch, js_name = step)]
    fn step_js(this: &JsMatcher, tokens: Vec<u32>, budget: usize, closes: bool, asks: u32) -> Result<JsValue, JsValue>;
    #[wasm_bindgen(method, js_name = free)]
    fn free_js(this: &JsMatcher);
}

impl AsyncGrammars for JsGrammars {
    fn compile(&self, spec_json: &str) -> Later<Box<dyn AsyncMatch>> {
        let begun = self.compile_js(spec_json).map(Owned).map_err(failure);
        Box::pin(async move {
            let mut matcher = begun?;
            // Nothing is asked but that it is there.
            matcher.step(Step::default()).await?;
            Ok(Box::new(matcher) as Box<dyn AsyncMatch>)
        })
    }
}

/// A matcher whose memory in the other module is given back with it.
struct Owned(JsMatcher);

impl Drop for Owned {
    fn drop(&mut self) {
        self.0.free_js();
    }
}

impl AsyncMatch for Owned {
    fn step(&mut self, step: Step) -> Later<Position> {
        let told = self.0.step_js(step.tokens, step.budget, step.closes, step.asks.to_word());
        Box::pin(async move {
            let words = match told.map_err(failure)?.dyn_into::<Promise>() {
                Ok(promise) => JsFuture::from(promise).await.map_err(failure)?,
                // No task is lost where the module is in this very thread.
                Err(words) => words,
            };
            let words = words.dyn_into::<Uint32Array>().ok().and_then(|words| Position::from_words(&words.to_vec()));
            words.ok_or_else(|| GrammarError::Internal("its module answers with something else".into()))
        })
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
