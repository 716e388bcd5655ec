//! What can be wrong with stop strings and content rules.

use super::{MAX_AUTOMATA, MAX_MASK, MAX_MATCH, MAX_PATTERNS, MAX_RULES};

/// A rule that cannot be served. `rule` is the beginning of its pattern.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum RuleError {
    /// More rules than are taken.
    #[error(
        "there are {found} stop strings and content rules; at most {MAX_RULES} are taken. A regex can hold several"
    )]
    TooMany {
        /// Number of them.
        found: usize,
    },
    /// A pattern longer than a match may be.
    #[error("the stop string or content rule `{rule}` has {found} bytes; at most {MAX_MATCH} are taken")]
    TooLong {
        /// The rule.
        rule: String,
        /// Bytes of it.
        found: usize,
    },
    /// All patterns together are too long.
    #[error("the stop strings and content rules have {found} bytes together; at most {MAX_PATTERNS} are taken")]
    TooLongTogether {
        /// Bytes of them.
        found: usize,
    },
    /// A mask that would be longer than any text it stands for.
    #[error("the mask of the content rule `{rule}` has {found} bytes; at most {MAX_MASK} are taken")]
    LongMask {
        /// The rule.
        rule: String,
        /// Bytes of the mask.
        found: usize,
    },
    /// Not a regex.
    #[error("the content rule `{rule}` is no regular expression: {reason}")]
    Syntax {
        /// The rule.
        rule: String,
        /// What is wrong with it.
        reason: String,
    },
    /// A rule that matches everywhere.
    #[error("the content rule `{rule}` can match the empty text; let it match one character at least")]
    MatchesEmpty {
        /// The rule.
        rule: String,
    },
    /// A rule whose match depends on what is around it.
    #[error(
        "the content rule `{rule}` looks around its match (`^`, `$`, `\\b` or the like), which a stream cannot serve; write out \
         the characters that must be there, or leave it out"
    )]
    LookAround {
        /// The rule.
        rule: String,
    },
    /// A regex whose automaton is too large.
    #[error(
        "the content rule `{rule}` needs too much memory: all regular expressions together may take {} MiB; write shorter \
         repetitions, or `[a-z]` instead of `\\w`",
        MAX_AUTOMATA >> 20
    )]
    TooLarge {
        /// The rule.
        rule: String,
    },
}

/// The beginning of a pattern, to name it by.
pub(super) fn excerpt(pattern: &str) -> String {
    const LONGEST: usize = 60;
    let cut = pattern.floor_char_boundary(LONGEST);
    if cut < pattern.len() { format!("{}…", &pattern[..cut]) } else { pattern.to_owned() }
}
