//! Structured output: a description of what an answer must look like becomes, step by step, the set of tokens that may come
//! next.
//!
//! This crate knows nothing of models or of the engine. [`Spec`] is the description. With the feature `matcher`, `Compiler` turns it
//! into matchers over a `Vocabulary`, on llguidance. An engine asks of them from another thread, by [`AsyncGrammars`] and [`AsyncMatch`]:
//! natively they run in a `GrammarThread`, on the web in a second WebAssembly module.
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
mod session;
mod spec;
#[cfg(not(target_arch = "wasm32"))]
mod thread;
mod token;

pub use error::GrammarError;
pub use face::{AsyncGrammars, AsyncMatch, Grammars, Later, Match};
#[cfg(feature = "matcher")]
pub use matcher::{Compiler, Matcher, Tokenize, Vocabulary};
pub use prepare::{Ready, prepare};
pub use regex::regex_problem;
pub use session::{Asks, Position, Session, Step, Taken};
pub use spec::{MAX_SPEC, Spec};
#[cfg(not(target_arch = "wasm32"))]
pub use thread::GrammarThread;
pub use token::{Token, pack, unpack};
