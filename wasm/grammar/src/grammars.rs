//! Compiling descriptions for one vocabulary.

use std::sync::Arc;

use inglenook_grammar::{Compiler, Grammars, Session, Vocabulary, unpack};
use js_sys::{Array, Function, Uint8Array};
use wasm_bindgen::prelude::*;

use crate::WasmMatcher;
use crate::errors::to_js;
use crate::tokenize::{Known, Registration};

/// Compiles descriptions of outputs for one vocabulary.
#[wasm_bindgen]
pub struct WasmGrammars {
    compiler: Compiler,
    words: usize,
    known: Known,
    _tokenizer: Option<Registration>,
}

#[wasm_bindgen]
impl WasmGrammars {
    /// `vocabulary` holds all tokens: for each a byte of flags (bit 0: control token), its length as a little-endian u32, and its bytes.
    /// `eos` are the tokens that end an output, and `tokenize` turns forced text into tokens; where it is left out, `lacking` tells
    /// the texts whose tokens `learn` has to tell.
    #[wasm_bindgen(constructor)]
    pub fn new(
        vocabulary: &[u8],
        eos: &[u32],
        #[wasm_bindgen(unchecked_optional_param_type = "(bytes: Uint8Array) => Uint32Array")] tokenize: Option<
            Function,
        >,
    ) -> Result<WasmGrammars, JsValue> {
        let (known, registration) = (Known::default(), tokenize.map(Registration::new));
        let tokenize = registration.as_ref().map_or_else(|| known.tokenize(), Registration::tokenize);
        let vocabulary =
            unpack(vocabulary).and_then(|tokens| Vocabulary::new(&tokens, eos, tokenize)).map_err(to_js)?;
        let words = vocabulary.len().div_ceil(32);
        let compiler = Compiler::new(Arc::new(vocabulary)).map_err(to_js)?;
        Ok(WasmGrammars { compiler, words, known, _tokenizer: registration })
    }

    /// A matcher at the beginning of what the description (JSON) says. Throws an `Error` named `BadRequest` for one that is wrong. None
    /// where texts have to be tokenised first: see `lacking`.
    pub fn compile(&mut self, spec: &str) -> Result<Option<WasmMatcher>, JsValue> {
        let compiled = Grammars::compile(&mut self.compiler, spec);
        match compiled {
            Ok(matcher) if !self.known.is_lacking() => {
                Ok(Some(WasmMatcher::new(Session::new(matcher, self.words), self.known.clone())))
            }
            Ok(_) => Ok(None),
            Err(error) => {
                self.known.take_lacking();
                Err(to_js(error))
            }
        }
    }

    /// The texts (UTF-8) whose tokens are asked for: `learn` tells them, and then what lacked them is asked for again.
    #[wasm_bindgen(unchecked_return_type = "Uint8Array[]")]
    pub fn lacking(&self) -> Array {
        self.known.take_lacking().iter().map(|text| JsValue::from(Uint8Array::from(&text[..]))).collect()
    }

    /// Tells the tokens of a text.
    pub fn learn(&self, text: Vec<u8>, tokens: Vec<u32>) {
        self.known.learn(text, tokens);
    }
}
