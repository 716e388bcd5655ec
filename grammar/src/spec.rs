//! What an answer must look like, as a request says it.

use serde::{Deserialize, Serialize};
use serde_json::Value;

use crate::GrammarError;
use crate::prepare::prepare;

/// Longest description that is taken, in bytes of JSON.
pub const MAX_SPEC: usize = 1 << 20;

/// The form that an answer must have. In JSON each has its name as `type`:
/// `{"type": "json_schema", "schema": {…}, "strict": true}`, `{"type": "choice", "choices": ["yes", "no"]}`.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(tag = "type", rename_all = "snake_case", deny_unknown_fields)]
pub enum Spec {
    /// A JSON document that the schema accepts.
    JsonSchema {
        /// The schema: an object, `true` or `false`.
        schema: Value,
        /// Whether the schema must keep OpenAI's rules of strict mode, so that it works there too.
        #[serde(default)]
        strict: bool,
    },
    /// Any JSON object.
    JsonObject,
    /// A text that the whole regular expression matches (Rust's syntax).
    Regex {
        /// The expression. It is anchored at both ends, whether it says so or not.
        regex: String,
    },
    /// A text of the grammar, in llguidance's variant of Lark, whose first rule is `start`. `<name>` is a control token. Terminals are not cut
    /// greedily: a text belongs to the grammar if it can be cut into terminals in some way. A grammar with `%ignore` or with attributes
    /// of rules, for which the matcher would lose some of these ways, is refused.
    Lark {
        /// The grammar.
        grammar: String,
    },
    /// A text of the grammar, in llama.cpp's GBNF, whose first rule is `root`.
    Gbnf {
        /// The grammar.
        grammar: String,
    },
    /// One of several texts.
    Choice {
        /// The texts; at least one, none of them empty.
        choices: Vec<String>,
    },
}

impl Spec {
    /// Read a description.
    ///
    /// # Errors
    /// When the text is longer than [`MAX_SPEC`], no JSON, or describes nothing known.
    pub fn from_json(text: &str) -> Result<Spec, GrammarError> {
        if text.len() > MAX_SPEC {
            return Err(GrammarError::TooLarge { what: format!("{} bytes of JSON", text.len()), limit: MAX_SPEC });
        }
        serde_json::from_str(text).map_err(|error| GrammarError::Spec(error.to_string()))
    }

    /// Whether the description can be compiled, as far as that shows without a vocabulary.
    ///
    /// # Errors
    /// When it is wrong, unsupported or too large.
    pub fn check(&self) -> Result<(), GrammarError> {
        prepare(self, &|_| None).map(drop)
    }

    /// The description as JSON: the same text for the same description, whatever its origin.
    pub fn to_json(&self) -> String {
        serde_json::to_string(self).unwrap_or_default()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn read(text: &str) -> Spec {
        Spec::from_json(text).unwrap()
    }

    #[test]
    fn every_kind_is_read_by_its_name() {
        assert_eq!(read(r#"{"type":"json_object"}"#), Spec::JsonObject);
        assert_eq!(read(r#"{"type":"regex","regex":"a+"}"#), Spec::Regex { regex: "a+".into() });
        assert_eq!(read(r#"{"type":"lark","grammar":"start: \"a\""}"#), Spec::Lark { grammar: "start: \"a\"".into() });
        assert_eq!(
            read(r#"{"type":"gbnf","grammar":"root ::= \"a\""}"#),
            Spec::Gbnf { grammar: "root ::= \"a\"".into() }
        );
        assert_eq!(read(r#"{"type":"choice","choices":["a"]}"#), Spec::Choice { choices: vec!["a".into()] });
        let schema = read(r#"{"type":"json_schema","schema":true}"#);
        assert_eq!(schema, Spec::JsonSchema { schema: Value::Bool(true), strict: false });
    }

    #[test]
    fn the_json_of_a_description_is_read_as_itself() {
        let spec = read(r#"{ "strict": true, "schema": {"b": 1, "a": 2}, "type": "json_schema" }"#);
        assert_eq!(spec.to_json(), r#"{"type":"json_schema","schema":{"b":1,"a":2},"strict":true}"#);
        assert_eq!(read(&spec.to_json()), spec);
    }

    #[test]
    fn what_is_no_description_is_refused() {
        for text in
            ["", "null", "{}", r#"{"type":"xml"}"#, r#"{"type":"regex"}"#, r#"{"type":"lark","grammar":"","x":1}"#]
        {
            assert!(matches!(Spec::from_json(text), Err(GrammarError::Spec(_))), "{text}");
        }
        assert!(matches!(Spec::from_json(&" ".repeat(MAX_SPEC + 1)), Err(GrammarError::TooLarge { .. })));
    }
}
