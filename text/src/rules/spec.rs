//! A content rule as a caller writes it: `{"match": "text" | {"regex": "…"}, "action": "stop" | "mask",
//! "mask": "***"}`. Without an action it stops.

use serde::Deserialize;

use super::error::excerpt;
use super::{MAX_MASK, MAX_MATCH, MAX_PATTERNS, MAX_RULES, RuleError};

/// What stands in place of a match where a rule names nothing else.
pub const DEFAULT_MASK: &str = "***";

/// One content rule.
#[derive(Debug, Clone, PartialEq, Eq, Deserialize)]
#[serde(try_from = "Form")]
pub struct RuleSpec {
    /// What is looked for.
    pub pattern: Pattern,
    /// What happens where it is found.
    pub action: Action,
}

/// What a rule looks for.
#[derive(Debug, Clone, PartialEq, Eq, Deserialize)]
#[serde(untagged, expecting = "`match` must be a string or an object {\"regex\": string}")]
pub enum Pattern {
    /// This text.
    Text(String),
    /// What this regular expression matches, in the syntax of Rust's `regex`.
    Regex {
        /// The expression.
        regex: String,
    },
}

impl Pattern {
    fn source(&self) -> &str {
        match self {
            Pattern::Text(text) => text,
            Pattern::Regex { regex } => regex,
        }
    }
}

/// What a rule does.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Action {
    /// Ends the text before the match.
    Stop,
    /// Puts this text in the match's place.
    Mask(String),
}

/// The rule's JSON.
#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct Form {
    #[serde(rename = "match")]
    pattern: Pattern,
    #[serde(default)]
    action: Kind,
    mask: Option<String>,
}

#[derive(Default, Deserialize)]
#[serde(rename_all = "lowercase")]
enum Kind {
    #[default]
    Stop,
    Mask,
}

impl TryFrom<Form> for RuleSpec {
    type Error = &'static str;

    fn try_from(form: Form) -> Result<Self, Self::Error> {
        let action = match (form.action, form.mask) {
            (Kind::Stop, Some(_)) => return Err("a content rule with the action `stop` shows no `mask`; leave it out"),
            (Kind::Stop, None) => Action::Stop,
            (Kind::Mask, mask) => Action::Mask(mask.unwrap_or_else(|| DEFAULT_MASK.to_owned())),
        };
        Ok(Self { pattern: form.pattern, action })
    }
}

/// Checks what can be checked without compiling a regex.
pub(super) fn check<'a>(stops: impl Iterator<Item = &'a str> + Clone, rules: &'a [RuleSpec]) -> Result<(), RuleError> {
    let found = stops.clone().count() + rules.len();
    if found > MAX_RULES {
        return Err(RuleError::TooMany { found });
    }
    let sources = stops.chain(rules.iter().map(|rule| rule.pattern.source()));
    if let Some(long) = sources.clone().find(|source| source.len() > MAX_MATCH) {
        return Err(RuleError::TooLong { rule: excerpt(long), found: long.len() });
    }
    let found = sources.map(str::len).sum();
    if found > MAX_PATTERNS {
        return Err(RuleError::TooLongTogether { found });
    }
    for rule in rules {
        let named = || excerpt(rule.pattern.source());
        match &rule.action {
            _ if rule.pattern.source().is_empty() => return Err(RuleError::MatchesEmpty { rule: named() }),
            Action::Mask(mask) if mask.len() > MAX_MASK => {
                return Err(RuleError::LongMask { rule: named(), found: mask.len() });
            }
            _ => {}
        }
    }
    Ok(())
}
