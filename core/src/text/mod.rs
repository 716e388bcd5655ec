//! Text in and out: token ids from strings, strings from token ids, prompts from chat messages.
//!
//! Everything here is plain data work on the CPU. It knows nothing of GPUs, models' weights or requests, and it treats what comes
//! from a file (vocabulary, merges, template) as hostile: sizes are checked, time and memory are bounded, nothing panics.

pub mod decode;
pub mod stop;
pub mod template;
pub mod tokenizer;

pub use decode::StreamDecoder;
pub use stop::StopMatcher;
pub use template::{ChatTemplate, TemplateError, TemplateInput};
pub use tokenizer::{NamedTemplate, Special, Tokenizer, TokenizerConfig, TokenizerError};
