//! Text in and out: token ids from strings, strings from token ids, prompts from chat messages.
//!
//! Everything here is plain data work on the CPU. It knows nothing of GPUs, models' weights or requests, and it treats what comes
//! from a file (vocabulary, merges, template) as hostile: sizes are checked, time and memory are bounded, nothing panics.

pub mod decode;
pub mod output;
pub mod rules;
pub mod template;
pub mod tokenizer;
pub mod vocabulary;

pub use decode::StreamDecoder;
pub use rules::{ContentRules, RuleError, RuleSpec};
pub use template::{ChatInput, ChatTemplate, ChatTemplates, Prompt, TemplateError, TemplateInput};
pub use tokenizer::{NamedTemplate, Special, Tokenizer, TokenizerConfig, TokenizerError};
