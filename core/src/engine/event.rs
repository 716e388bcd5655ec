//! What a generation tells its caller, in the order it happens.

use serde::Serialize;

/// One thing that happened.
#[derive(Debug, Clone, PartialEq, Serialize)]
#[serde(tag = "type", rename_all = "lowercase")]
pub enum Event {
    /// A token's text: whole characters, never part of a stop string.
    Text {
        /// The text.
        text: String,
    },
    /// The end; nothing follows.
    Done {
        /// Why it ended.
        reason: Finish,
        /// Tokens used.
        usage: Usage,
        /// How long it took.
        timings: Timings,
    },
}

/// Why a generation ended.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize)]
#[serde(rename_all = "lowercase")]
pub enum Finish {
    /// The model ended its turn, or a stop string came.
    Stop,
    /// `max_tokens` or the context was used up.
    Length,
    /// The caller cancelled.
    Aborted,
}

/// Tokens of a request.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default, Serialize)]
pub struct Usage {
    /// Tokens of the prompt.
    pub prompt_tokens: u32,
    /// Tokens generated, an end token included.
    pub completion_tokens: u32,
    /// Tokens of the prompt that were in the cache from before, and not computed again.
    pub cached_tokens: u32,
}

/// Durations in milliseconds.
#[derive(Debug, Clone, Copy, PartialEq, Default, Serialize)]
pub struct Timings {
    /// From the request to the first token.
    pub prefill_ms: f64,
    /// From the first token to the last.
    pub decode_ms: f64,
}
