//! What can be wrong with a request.

use inglenook_text::output::{ConstraintError, ToolCallFormat};
use inglenook_text::rules::RuleError;

/// A request that cannot be served.
#[derive(Debug, Clone, PartialEq, thiserror::Error)]
pub enum RequestError {
    /// Not JSON, or not of the request's form.
    #[error("the request cannot be read: {0}")]
    Form(String),
    /// Longer than is read.
    #[error("the request has {0} bytes, and at most {max} are read; shorten the conversation", max = super::MAX_JSON)]
    TooLarge(usize),
    /// A field that there is not.
    #[error(
        "`{field}` is no field of a request; {}",
        meant.as_ref().map_or("leave it out".into(), |meant| format!("did you mean `{meant}`?"))
    )]
    UnknownField {
        /// Its place and name.
        field: String,
        /// The field whose name is nearly this.
        meant: Option<String>,
    },
    /// A field that asks for what cannot be done.
    #[error("`{field}` cannot be {found}: {because}")]
    UnsupportedField {
        /// Its place and name.
        field: String,
        /// Its value, cut short.
        found: String,
        /// Why, and what else would do.
        because: &'static str,
    },
    /// One thing said twice, and in two ways.
    #[error("`{0}` and `{1}` are two names of one thing, and say different things; give one of them")]
    TwoNames(String, String),
    /// Nothing to answer.
    #[error("the request has no prompt; give `messages` with at least one message, or a `prompt` that is not empty")]
    Empty,
    /// Both forms of prompt.
    #[error("the request has both `messages` and `prompt`; give one of them")]
    TwoPrompts,
    /// A parameter beyond its range.
    #[error("`{name}` is {found}, and must be {wanted}")]
    Range {
        /// The parameter.
        name: &'static str,
        /// Its value.
        found: String,
        /// What would do.
        wanted: String,
    },
    /// A variable for the template in place of the request's own field.
    #[error("`chat_template_kwargs` gives `{0}`, which is a field of the request itself; give it there")]
    OwnVariable(String),
    /// Content that the model cannot take in.
    #[error(
        "messages[{at}].content[{part}] is of type {kind:?}: this model {}; leave it out, or say in words what it has",
        inability(kind)
    )]
    Media {
        /// The message's place, from 0.
        at: usize,
        /// The part's place in it, from 0.
        part: usize,
        /// The part's type.
        kind: String,
    },
    /// A stop string or a content rule that cannot be served.
    #[error(transparent)]
    Rule(#[from] RuleError),
    /// A bias of a token that the model does not have.
    #[error("`logit_bias` names the token {0}, which this model does not have; ids are those of its own tokenizer")]
    NoSuchToken(u32),
    /// The prompt does not fit.
    #[error(
        "the prompt has {tokens} tokens, and the context of {context} leaves no room for an answer; shorten the \
         conversation, load the model with a longer context, or let old turns be left out (`\"truncation\": \"auto\"`)"
    )]
    TooLong {
        /// Tokens of the prompt.
        tokens: usize,
        /// Tokens of the context.
        context: u32,
    },
    /// A text to be embedded or ranked does not fit.
    #[error(
        "text {index} has {tokens} tokens, and the context has {context}; cut it into shorter ones, load the model with a longer context, or let \
         what is too much be left out (`\"truncate\": true`)"
    )]
    LongText {
        /// Its place in the request, from 0.
        index: usize,
        /// Its tokens, with those around it.
        tokens: usize,
        /// Tokens of the context.
        context: u32,
    },
    /// Texts to be ranked for a model that gives no scores.
    #[error(
        "this model cannot rank texts: it has no classifier, and no tokens `yes` and `no` to answer with; embed the texts and compare them"
    )]
    NoRanking,
    /// Texts to be embedded for a model that ranks.
    #[error("this model ranks texts and gives no embeddings; ask it to rank")]
    NoEmbedding,
    /// Tools for a model of which it is not known how it calls them.
    #[error(
        "this model's form of tool calls is not known, so that its calls could not be told from text; leave out `tools` (or set \
         `tool_choice` to \"none\"), or name the form in `tool_dialect`, one of: {}",
        ToolCallFormat::names().collect::<Vec<_>>().join(", ")
    )]
    NoToolCallFormat,
    /// A name that is none of those there are.
    #[error("`{name}` is {found:?}, and must be one of: {known}")]
    Unknown {
        /// The parameter.
        name: &'static str,
        /// Its value.
        found: String,
        /// What there is.
        known: String,
    },
    /// Tools that cannot be made to be called.
    #[error(transparent)]
    Tools(#[from] ConstraintError),
    /// Something that is no tool.
    #[error("tools[{index}] is not {{type: \"function\", function: {{name, …}}}}: {what}")]
    BadTool {
        /// Its place.
        index: usize,
        /// What is wrong.
        what: &'static str,
    },
    /// Structured output where nobody can compile grammars.
    #[error("this engine was made without the module for grammars; give it one before asking for structured output")]
    NoGrammars,
    /// Two things that the answer must be.
    #[error(
        "the answer cannot be held to this `response_format` and call tools, too; leave one of them out, or ask for JSON \
         with `tool_choice` \"auto\""
    )]
    TwoFormats,
    /// As many requests wait as may.
    #[error("{waiting} requests are waiting, and no more may; try again in about {retry_after_ms} ms")]
    Busy {
        /// Requests that wait.
        waiting: usize,
        /// When one of them will probably have begun, milliseconds.
        retry_after_ms: u64,
    },
}

/// What a model of text cannot do with a part of this type.
fn inability(kind: &str) -> &'static str {
    match kind {
        "image" | "image_url" | "input_image" => "cannot see images",
        "audio" | "audio_url" | "input_audio" => "cannot hear recordings",
        "video" | "video_url" | "input_video" => "cannot watch videos",
        "file" | "input_file" | "document" => "cannot open files",
        _ => "takes only text",
    }
}
