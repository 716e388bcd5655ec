//! When an answer is as expected. The rules are those of `models/ember/make_eval.py`.

use serde::Deserialize;
use serde_json::{Value, json};

use crate::answer::ToolCall;

/// What is expected of an answer.
#[derive(Debug, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Expectation {
    /// The text stands in the answer as a whole word.
    Contains(String),
    /// The answer, trimmed, is the text.
    Equals(String),
    /// The answer holds exactly one tool call, whose name and arguments equal these.
    ToolCall(Value),
}

impl Expectation {
    /// Whether an answer of this text and these calls is as expected.
    pub fn is_met_by(&self, text: &str, calls: &[ToolCall]) -> bool {
        match self {
            Expectation::Contains(word) => contains_word(text, word),
            Expectation::Equals(whole) => text.trim() == whole,
            Expectation::ToolCall(expected) => match calls {
                [ToolCall { name, arguments, .. }] => serde_json::from_str(arguments)
                    .is_ok_and(|arguments: Value| same(&json!({ "name": name, "arguments": arguments }), expected)),
                _ => false,
            },
        }
    }
}

/// Whether `word` stands in `text` with no ASCII letter or digit on either side.
fn contains_word(text: &str, word: &str) -> bool {
    let part = |byte: Option<&u8>| byte.is_some_and(u8::is_ascii_alphanumeric);
    text.match_indices(word).any(|(start, _)| {
        let bytes = text.as_bytes();
        !part(bytes[..start].last()) && !part(bytes.get(start + word.len()))
    })
}

/// Equality of JSON where `1` and `1.0` are the same number.
fn same(a: &Value, b: &Value) -> bool {
    match (a, b) {
        (Value::Number(a), Value::Number(b)) => a == b || a.as_f64() == b.as_f64(),
        (Value::Array(a), Value::Array(b)) => a.len() == b.len() && a.iter().zip(b).all(|(a, b)| same(a, b)),
        (Value::Object(a), Value::Object(b)) => {
            a.len() == b.len() && a.iter().all(|(key, a)| b.get(key).is_some_and(|b| same(a, b)))
        }
        (a, b) => a == b,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn met(expectation: &str, answer: &str) -> bool {
        serde_json::from_str::<Expectation>(expectation).unwrap().is_met_by(answer, &[])
    }

    #[test]
    fn a_word_counts_only_whole() {
        let expected = r#"{"contains":"42"}"#;
        assert!(met(expected, "42"));
        assert!(met(expected, "142 is not it, but 42."));
        assert!(!met(expected, "142 and 421 and x42"));
    }

    #[test]
    fn the_whole_answer_is_compared() {
        assert!(met(r#"{"equals":"tac"}"#, " tac\n"));
        assert!(!met(r#"{"equals":"tac"}"#, "tac."));
    }

    #[test]
    fn a_tool_call_is_compared_as_json_and_stands_alone() {
        let expected: Expectation =
            serde_json::from_str(r#"{"tool_call":{"name":"add","arguments":{"a":1,"b":"x"}}}"#).unwrap();
        let call =
            |name: &str, arguments: &str| ToolCall { id: "any".into(), name: name.into(), arguments: arguments.into() };
        let right = call("add", r#"{"b":"x","a":1.0}"#);
        assert!(expected.is_met_by("", std::slice::from_ref(&right)));
        assert!(expected.is_met_by("so:", std::slice::from_ref(&right)));
        assert!(!expected.is_met_by("", &[right.clone(), right]));
        assert!(!expected.is_met_by("", &[call("add", r#"{"b":"x","a":2}"#)]));
        assert!(!expected.is_met_by("", &[call("and", r#"{"b":"x","a":1}"#)]));
        assert!(!expected.is_met_by("add({\"a\": 1})", &[]));
    }
}
