//! What can go wrong with a chat template.

use minijinja::ErrorKind;

/// Why a template could not be parsed or rendered.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum TemplateError {
    /// The template itself is too long.
    #[error("the chat template has {0} bytes, more than {max}; give a shorter one", max = super::MAX_SOURCE)]
    TooLong(usize),
    /// An expression, or a chain of `elif`, is too long.
    #[error("the chat template has too long an expression or too many branches (line {0}); give a simpler one")]
    TooComplex(usize),
    /// The template is not valid Jinja.
    #[error("the chat template cannot be parsed: {message} (line {line}); give a corrected one")]
    Syntax {
        /// What is wrong.
        message: String,
        /// The line, from 1; 0 if unknown.
        line: usize,
    },
    /// The template calls a function, filter, test or method that does not exist.
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
    /// The template nests too deeply.
    #[error("the chat template nests macros or loops too deeply; it may call itself without end")]
    TooDeep,
    /// The template builds or writes too much text.
    #[error("the chat template builds far more text than the conversation has; it may repeat itself without end")]
    TooMuchText,
    /// The template fails on this conversation in another way.
    #[error("the chat template failed: {message} (line {line}); the conversation may lack what it expects")]
    Failed {
        /// What went wrong.
        message: String,
        /// The line, from 1; 0 if unknown.
        line: usize,
    },
}

/// Marks an error of our own functions as it passes through the template engine.
#[derive(Debug, thiserror::Error)]
#[error(transparent)]
pub(super) struct Own(pub TemplateError);

impl Own {
    /// Wraps `error` so that the engine carries it.
    pub fn into_engine(error: TemplateError) -> minijinja::Error {
        minijinja::Error::new(ErrorKind::InvalidOperation, error.to_string()).with_source(Own(error))
    }
}

impl TemplateError {
    /// From the template engine's error.
    pub(super) fn from_engine(error: &minijinja::Error) -> Self {
        let mut source = std::error::Error::source(error);
        while let Some(inner) = source {
            if let Some(Own(own)) = inner.downcast_ref() {
                return own.clone();
            }
            source = inner.source();
        }
        let line = error.line().unwrap_or(0);
        let message = match error.detail() {
            Some(detail) => format!("{}: {detail}", error.kind()),
            None => error.kind().to_string(),
        };
        match error.kind() {
            ErrorKind::OutOfFuel => Self::TooManySteps,
            ErrorKind::SyntaxError | ErrorKind::InvalidDelimiter => Self::Syntax { message, line },
            ErrorKind::UnknownFilter
            | ErrorKind::UnknownTest
            | ErrorKind::UnknownFunction
            | ErrorKind::UnknownMethod
            | ErrorKind::TemplateNotFound => Self::Unknown { message, line },
            _ if error.detail() == Some("recursion limit exceeded") => Self::TooDeep,
            _ => Self::Failed { message, line },
        }
    }
}
