//! Matching tokens against grammars, on llguidance.
//!
//! llguidance derives regular expressions lazily and parses by Earley's method over bytes, with a trie of the vocabulary, so
//! that a mask takes well under a millisecond. What is done here is everything around it: the vocabulary, limits, a cache of
//! compiled grammars, and typed errors. Its panics are caught by itself natively; in WebAssembly a panic ends the module, so
//! whatever could cause one is refused before it gets there.

mod chart;
mod closing;
mod compiler;
mod failure;
mod guard;
mod position;
mod rules;
mod vocabulary;

pub use compiler::Compiler;
pub use position::Matcher;
pub use vocabulary::{Tokenize, Vocabulary};
