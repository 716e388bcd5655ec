//! Structured output: a description of what an answer must look like becomes, step by step, the set of tokens that may come
//! next.
//!
//! This crate knows nothing of models or of the engine. [`Spec`] is the description. With the feature `matcher`, `Compiler` turns it
//! into matchers over a `Vocabulary`, on llguidance; [`Grammars`] and [`Match`] are what the engine needs of them, so that
//! another implementation (a second WebAssembly module) can take their place.
//!
//! Descriptions come from strangers: their size, their depth and the work they cause are bounded, and what cannot be
//! guaranteed is refused by name instead of being ignored.

mod cfg;
mod error;
mod face;
mod gbnf;
mod lark;
#[cfg(feature = "matcher")]
mod matcher;
mod prepare;
mod regex;
mod schema;
mod spec;
mod token;

pub use error::GrammarError;
pub use face::{Grammars, Match};
#[cfg(feature = "matcher")]
pub use matcher::{Compiler, Matcher, Tokenize, Vocabulary};
pub use prepare::{Ready, prepare};
pub use spec::{MAX_SPEC, Spec};
pub use token::{Token, pack, unpack};
