//! What can go wrong with a chat template.

/// Why a template could not be parsed or rendered.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum TemplateError {
    /// The template itself is too long.
    #[error("the chat template has {0} bytes, more than {max}; give a shorter one", max = super::MAX_SOURCE)]
    TooLong(usize),
    /// Blocks or brackets are nested too deeply.
    #[error("the chat template nests blocks or brackets too deeply (line {0}); give a simpler one")]
    TooComplex(usize),
    /// The template is not valid Jinja.
    #[error("the chat template cannot be parsed: {message} (line {line}); give a corrected one")]
    Syntax {
        /// What is wrong.
        message: String,
        /// The line, from 1; 0 if unknown.
        line: usize,
    },
    /// The template uses a function, filter, test, method or tag that does not exist.
    #[error("the chat template uses something unknown: {message} (line {line}); give a template without it")]
    Unknown {
        /// What is unknown.
        message: String,
        /// The line, from 1; 0 if unknown.
        line: usize,
    },
    /// The template refuses the conversation with `raise_exception`.
    #[error("the chat template refuses this conversation: {0}")]
    Raised(String),
    /// The template asks for the time, and the caller gave none.
    #[error("the chat template asks for the current time, but none was given; set `local_time`")]
    NoTime,
    /// The template takes too many steps.
    #[error("the chat template does not end within the allowed number of steps; it may loop without end")]
    TooManySteps,
    /// The template's macros, or its input's values, nest too deeply.
    #[error("the chat template nests macros or values too deeply; it may call itself without end")]
    TooDeep,
    /// The template builds or writes too much text.
    #[error("the chat template builds far more text than the conversation has; it may repeat itself without end")]
    TooMuchText,
    /// The model has no template, and its vocabulary proves none.
    #[error("the model has no chat template; name a built-in one, such as \"chatml\"")]
    NoTemplate,
    /// There is no template of that name.
    #[error("there is no chat template \"{name}\"; there are {known}")]
    NoSuchTemplate {
        /// The name.
        name: String,
        /// The names that there are.
        known: String,
    },
    /// A message is not what OpenAI's API calls one.
    #[error("message {at} cannot be used: {why}")]
    Message {
        /// Its place, from 0.
        at: usize,
        /// What is wrong.
        why: &'static str,
    },
    /// A message says something in a member that nobody reads.
    #[error("message {at} has `{name}`, which is no member of a message that the chat template reads; leave it out")]
    Member {
        /// The message's place, from 0.
        at: usize,
        /// The member.
        name: String,
    },
    /// The template leaves out a message.
    #[error(
        "message {0} would be left out: the chat template has no place for its role there; give its text in a message of \
         another role"
    )]
    DroppedMessage(usize),
    /// The template has no place for something in the conversation.
    #[error("the chat template has no place for {0}; leave them out, or name a template that has one")]
    Unsupported(&'static str),
    /// The template has no place for a kind of content.
    #[error("the chat template has no place for content of type \"{0}\"; leave it out, or use a model that takes it")]
    Part(String),
    /// A tool result that answers no call.
    #[error(
        "message {at} is a tool's result{}{}, but no message before it makes that call; give the call, too",
        name.as_ref().map(|name| format!(" of {name:?}")).unwrap_or_default(),
        id.as_ref().map(|id| format!(" for the call {id:?}")).unwrap_or_default()
    )]
    ToolResult {
        /// The message's place, from 0.
        at: usize,
        /// The call's id, if it names one.
        id: Option<String>,
        /// The tool's name, if it names one.
        name: Option<String>,
    },
    /// The last message cannot be continued.
    #[error("the last message cannot be continued: {0}")]
    CannotContinue(&'static str),
    /// The template fails on this conversation in another way.
    #[error("the chat template failed: {message} (line {line}); the conversation may lack what it expects")]
    Failed {
        /// What went wrong.
        message: String,
        /// The line, from 1; 0 if unknown.
        line: usize,
    },
}

impl TemplateError {
    /// A failure on a line that is not known here.
    pub(super) fn failed(message: impl Into<String>) -> Self {
        Self::Failed { message: message.into(), line: 0 }
    }

    /// Something unknown, on a line that is not known here.
    pub(super) fn unknown(message: impl Into<String>) -> Self {
        Self::Unknown { message: message.into(), line: 0 }
    }

    /// The same error with its line, unless it has one.
    pub(super) fn at(self, at: usize) -> Self {
        match self {
            Self::Failed { message, line: 0 } => Self::Failed { message, line: at },
            Self::Unknown { message, line: 0 } => Self::Unknown { message, line: at },
            other => other,
        }
    }
}
