//! Compiling descriptions for one vocabulary.

use std::sync::Arc;

use inglenook_grammar::{Compiler, Grammars, Vocabulary, unpack};
use wasm_bindgen::prelude::*;

use crate::WasmMatcher;
use crate::errors::to_js;
use crate::tokenize::Registration;

/// Compiles descriptions of outputs for one vocabulary.
#[wasm_bindgen]
pub struct WasmGrammars {
    compiler: Compiler,
    words: usize,
    _tokenizer: Registration,
}

#[wasm_bindgen]
impl WasmGrammars {
    /// `vocabulary` holds all tokens: for each a byte of flags (bit 0: control token), its length as a little-endian u32, and its bytes.
    /// `eos` are the tokens that end an output, and `tokenize` turns forced text into tokens.
    #[wasm_bindgen(constructor)]
    pub fn new(
        vocabulary: &[u8],
        eos: &[u32],
        #[wasm_bindgen(unchecked_param_type = "(bytes: Uint8Array) => Uint32Array")] tokenize: js_sys::Function,
    ) -> Result<WasmGrammars, JsValue> {
        let tokenizer = Registration::new(tokenize);
        let tokens = unpack(vocabulary).map_err(to_js)?;
        let vocabulary = Vocabulary::new(&tokens, eos, tokenizer.tokenize()).map_err(to_js)?;
        let words = vocabulary.len().div_ceil(32);
        Ok(WasmGrammars { compiler: Compiler::new(Arc::new(vocabulary)).map_err(to_js)?, words, _tokenizer: tokenizer })
    }

    /// A matcher at the beginning of what the description (JSON) says. Throws an `Error` named `BadRequest` for one that is wrong.
    pub fn compile(&mut self, spec: &str) -> Result<WasmMatcher, JsValue> {
        Ok(WasmMatcher::new(Grammars::compile(&mut self.compiler, spec).map_err(to_js)?, self.words))
    }
}
