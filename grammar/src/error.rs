//! What can be wrong with a grammar, or with what is asked of one.

/// Why a grammar was refused, or why a matcher could not go on.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum GrammarError {
    /// The description of the wanted output is no [`Spec`](crate::Spec).
    #[error("this is no description of an output format: {0}")]
    Spec(String),
    /// A JSON schema that says something wrong.
    #[error("the JSON schema is wrong at {path}: {reason}")]
    Schema {
        /// Where, as a JSON pointer with a leading `#`.
        path: String,
        /// What is wrong, and what would be right.
        reason: String,
    },
    /// A JSON schema that asks for what cannot be guaranteed token by token.
    #[error("the JSON schema uses what cannot be enforced, at {path}: {feature}")]
    Unsupported {
        /// Where, as a JSON pointer with a leading `#`.
        path: String,
        /// The keyword or the combination of keywords, and what to use instead.
        feature: String,
    },
    /// A JSON schema that breaks a rule of OpenAI's strict mode.
    #[error("strict mode forbids this JSON schema, at {path}: {reason}")]
    Strict {
        /// Where, as a JSON pointer with a leading `#`.
        path: String,
        /// The rule, and how to keep it.
        reason: String,
    },
    /// A grammar that breaks the rules of its notation.
    #[error("the {notation} grammar is wrong at line {line}, column {column}: {reason}")]
    Syntax {
        /// `GBNF` or `Lark`.
        notation: &'static str,
        /// Counted from 1.
        line: usize,
        /// Counted from 1, in characters.
        column: usize,
        /// What is wrong.
        reason: String,
    },
    /// A regular expression that cannot be parsed or enforced.
    #[error("the regular expression {pattern:?} cannot be used: {reason}")]
    Regex {
        /// The beginning of it.
        pattern: String,
        /// What is wrong.
        reason: String,
    },
    /// A grammar larger than is taken.
    #[error("the grammar is too large: {what} (at most {limit})")]
    TooLarge {
        /// What there is too much of.
        what: String,
        /// How much of it is taken.
        limit: usize,
    },
    /// No text satisfies the grammar.
    #[error("no output can satisfy this: {0}")]
    Unsatisfiable(String),
    /// A grammar that is right, but that this matcher could only hold wrongly.
    #[error(
        "the grammar cannot be held exactly: where {shorter} ends, {longer} could go on with the character that comes next, and an output is \
         cut into terminals in one way only; let what follows begin with another character, or write the terminal as rules of its parts"
    )]
    Ambiguous {
        /// The terminal that could go on.
        longer: String,
        /// The terminal behind which the output is cut.
        shorter: String,
    },
    /// The compiler refused the grammar.
    #[error("the grammar cannot be compiled: {0}")]
    Compile(String),
    /// The vocabulary cannot be matched over.
    #[error("the vocabulary cannot be constrained: {0}")]
    Vocabulary(String),
    /// A token that the grammar does not allow here.
    #[error("token {token} is not allowed here by the grammar")]
    Refused {
        /// The token's id.
        token: u32,
    },
    /// The grammar needs more work in one step than is spent.
    #[error("the grammar is too ambiguous or too large to be followed further: {0}")]
    TooComplex(String),
    /// What another module, which compiles grammars for this one, says is wrong with a request.
    #[error("{0}")]
    Told(String),
    /// A fault of inglenook or of what it rests on.
    #[error("the grammar's matcher failed, which is a fault of inglenook: {0}")]
    Internal(String),
}

impl GrammarError {
    /// A code that stays the same across versions: `BadRequest` where the caller can do better, else `Internal`.
    pub fn code(&self) -> &'static str {
        match self {
            GrammarError::Internal(_) | GrammarError::Refused { .. } | GrammarError::Vocabulary(_) => "Internal",
            _ => "BadRequest",
        }
    }
}
