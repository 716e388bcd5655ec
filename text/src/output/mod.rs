//! From generated text to what OpenAI's API calls `content`, `reasoning_content` and `tool_calls`, as it comes.
//!
//! An [`OutputParser`] knows one [`ToolCallFormat`] and one [`ReasoningFormat`]. It is given the text of an answer piece by
//! piece, and gives [`Delta`]s: what is sure goes out at once, and only what may still turn out to be a marker is held back. However
//! the text is cut, the deltas, joined, are the same.
//!
//! - **Nothing is lost.** What was begun as a call and is none comes back as [`Delta::Malformed`] with its own text. Only markers
//!   and the white space next to them are left out.
//! - **Arguments are JSON.** The argument texts of a call that ends are one valid JSON object: the model's own text where it wrote
//!   JSON, converted with the help of the tool's schema where it did not.
//! - **Text is hostile.** Time is linear in the text, memory is what a call under way has written, nesting is bounded.
//!
//! A thought begins only where nothing but white space has come, since the beginning or since a call; so text that speaks of
//! `<think>` is text. A call's marker counts anywhere outside thoughts.

mod braces;
mod code;
mod constraint;
mod delta;
mod detect;
mod elements;
mod formats;
mod grammar;
mod ids;
mod input;
mod json;
mod json_object;
mod literal;
mod messages;
mod name_then_json;
mod parser;
mod printed;
mod python;
mod quotes;
mod reader;
mod reasoning;
mod render_calls;
mod tagged;
#[cfg(test)]
mod tests;
mod tool_call_format;
mod tools;
mod xml_params;

pub use constraint::{Choice, ConstraintError};
pub use delta::Delta;
pub use parser::{OutputFormat, OutputParser};
pub use reasoning::{ReasoningBudget, ReasoningFormat, ends_behind_thought, starts_in_reasoning};
pub use tool_call_format::ToolCallFormat;
pub use tools::ToolSpec;
