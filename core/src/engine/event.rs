//! What an answer tells its caller, in the order it happens.

use serde::Serialize;

pub use super::logprobs::TokenLogprob;
use super::metrics::Summary;

/// One thing that happened.
#[derive(Debug, Clone, PartialEq, Serialize)]
#[serde(tag = "type", rename_all = "snake_case")]
pub enum Event {
    /// Text of the answer: whole characters, never part of a stop string or of what a content rule forbids.
    Text {
        /// The text.
        text: String,
    },
    /// Text of the model's thoughts.
    Reasoning {
        /// The text.
        text: String,
    },
    /// Log-probabilities of tokens, where the request asks for them; before what the tokens say.
    Logprobs {
        /// Of each token that was generated, in order.
        tokens: Vec<TokenLogprob>,
    },
    /// Log-probabilities of tokens of the prompt, where the request asks for them; before the answer, and in pieces.
    PromptLogprobs {
        /// Of each token of the prompt but the first, which nothing comes before, in order.
        tokens: Vec<TokenLogprob>,
    },
    /// The model begins to call a tool.
    ToolCall {
        /// Number of the call in this answer, from 0.
        index: u32,
        /// What the tool's result must name.
        id: String,
        /// The tool's name.
        name: String,
    },
    /// A piece of a call's arguments; all of a call, joined, are the JSON of an object.
    ToolArguments {
        /// Number of the call.
        index: u32,
        /// The piece.
        text: String,
    },
    /// What looked like a call turned out to be none. A call that was announced is withdrawn.
    MalformedCall {
        /// Number of the call, if it was announced.
        index: Option<u32>,
        /// What the model wrote, to be shown as part of the answer.
        text: String,
    },
    /// What did not fit into the context was left out: at the beginning of the prompt's turns, later of what the answer goes on from.
    Truncated {
        /// Whole messages of the request.
        messages: u32,
        /// Tokens.
        tokens: u32,
    },
    /// The end; nothing follows.
    Done {
        /// Why it ended.
        reason: FinishReason,
        /// Tokens used.
        usage: Usage,
        /// How long it took.
        timings: Timings,
    },
}

/// Why a generation ended.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize)]
#[serde(rename_all = "snake_case")]
pub enum FinishReason {
    /// The model ended its turn, or a stop string came.
    Stop,
    /// `max_tokens` or the context was used up.
    Length,
    /// The model called tools, and waits for what they give.
    ToolCalls,
    /// A content rule ended the answer.
    ContentFilter,
    /// The caller cancelled.
    Aborted,
}

impl FinishReason {
    /// Its name, as it is serialised.
    pub fn name(self) -> &'static str {
        match self {
            FinishReason::Stop => "stop",
            FinishReason::Length => "length",
            FinishReason::ToolCalls => "tool_calls",
            FinishReason::ContentFilter => "content_filter",
            FinishReason::Aborted => "aborted",
        }
    }
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
    /// Tokens that were drafted and verified.
    pub drafted_tokens: u32,
    /// Drafted tokens that were what the model chose.
    pub accepted_tokens: u32,
    /// Tokens that were left out, since they did not fit into the context.
    pub truncated_tokens: u32,
}

/// Durations in milliseconds.
#[derive(Debug, Clone, Copy, PartialEq, Default, Serialize)]
pub struct Timings {
    /// From the request to its first step.
    pub queue_ms: f64,
    /// From the first step to the first token.
    pub prefill_ms: f64,
    /// From the request to the first token; none if none came.
    pub first_token_ms: Option<f64>,
    /// From the first token to the last.
    pub decode_ms: f64,
    /// From each token to the next. Of tokens that are read together, each took as long as the others.
    pub token_ms: Summary,
}
