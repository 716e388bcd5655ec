//! From a description to what the compiler takes.

use serde_json::Value;

use crate::{GrammarError, Spec, gbnf, lark, regex, schema};

/// Most choices in a [`Spec::Choice`], and most bytes of all of them.
const MAX_CHOICES: usize = 10_000;
const MAX_CHOICE_BYTES: usize = 64 << 10;

/// What the compiler takes.
#[derive(Debug)]
pub enum Ready {
    /// A JSON schema.
    Schema(Value),
    /// A Lark grammar.
    Lark(String),
}

/// What is to be compiled for a description; `control` gives the ids of control tokens by name.
///
/// # Errors
/// When the description is wrong, unsupported or too large.
pub fn prepare(spec: &Spec, control: &dyn Fn(&str) -> Option<u32>) -> Result<Ready, GrammarError> {
    Ok(match spec {
        Spec::JsonSchema { schema, strict } => Ready::Schema(schema::prepare(schema, *strict)?),
        Spec::JsonObject => Ready::Schema(schema::any_object()),
        Spec::Regex { regex } => Ready::Lark(regex::to_lark(regex)?),
        Spec::Lark { grammar } => Ready::Lark(lark::prepare(grammar, control)?),
        Spec::Gbnf { grammar } => Ready::Lark(lark::resolve(&gbnf::to_lark(grammar)?, control)?),
        Spec::Choice { choices } => Ready::Lark(choice(choices)?),
    })
}

fn choice(choices: &[String]) -> Result<String, GrammarError> {
    let bytes: usize = choices.iter().map(String::len).sum();
    if choices.len() > MAX_CHOICES {
        return Err(GrammarError::TooLarge { what: format!("{} choices", choices.len()), limit: MAX_CHOICES });
    }
    if bytes > MAX_CHOICE_BYTES {
        return Err(GrammarError::TooLarge { what: format!("{bytes} bytes of choices"), limit: MAX_CHOICE_BYTES });
    }
    if choices.is_empty() || choices.iter().any(String::is_empty) {
        return Err(GrammarError::Spec("`choices` must name at least one text, and no empty one".to_owned()));
    }
    let quoted: Vec<String> = choices.iter().map(|text| lark::quote(text)).collect();
    Ok(format!("start: CHOICE\nCHOICE: {}", quoted.join(" | ")))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn choices_are_quoted_and_counted() {
        let of = |choices: Vec<String>| prepare(&Spec::Choice { choices }, &|_| None);
        assert!(
            matches!(of(vec!["a\"".into(), "b".into()]), Ok(Ready::Lark(text)) if text.ends_with("CHOICE: \"a\\\"\" | \"b\""))
        );
        assert!(matches!(of(vec![]), Err(GrammarError::Spec(_))));
        assert!(matches!(of(vec!["".into()]), Err(GrammarError::Spec(_))));
        assert!(matches!(of(vec!["a".into(); MAX_CHOICES + 1]), Err(GrammarError::TooLarge { .. })));
        assert!(matches!(of(vec!["a".repeat(MAX_CHOICE_BYTES + 1)]), Err(GrammarError::TooLarge { .. })));
    }
}
