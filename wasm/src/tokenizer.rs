//! A model's tokenizer, as the module for grammars asks it: on its own, since the engine may be at work then.

use std::sync::Arc;

use inglenook::text::{Tokenizer, vocabulary};
use wasm_bindgen::prelude::*;

/// A tokenizer.
#[wasm_bindgen]
pub struct WasmTokenizer(pub(crate) Arc<Tokenizer>);

#[wasm_bindgen]
impl WasmTokenizer {
    /// The tokens of bytes within a text; none where they begin or end in the middle of a character.
    pub fn encode_bytes(&self, bytes: &[u8]) -> Vec<u32> {
        vocabulary::encode(&self.0, bytes)
    }
}
