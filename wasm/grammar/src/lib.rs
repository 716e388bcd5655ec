//! The second WebAssembly module: grammars over a model's tokens, for JavaScript. It loads when the first request needs it.
//!
//! After a panic the module is of no further use, as its message says: the page must instantiate it anew.
#![cfg(target_arch = "wasm32")]

mod errors;
mod grammars;
mod matcher;
mod tokenize;

pub use grammars::WasmGrammars;
pub use matcher::WasmMatcher;
