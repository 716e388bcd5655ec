//! Words that a description spells out: an output may have to end with one of them, which no search character by character guesses.

use serde_json::Value;

use crate::Spec;

/// Most words that are kept, and how long they are.
const MAX_WORDS: usize = 64;
const MAX_LENGTH: usize = 32;

/// The words of a description's patterns and rules, in their order.
pub fn words(spec: &Spec) -> Vec<&str> {
    let mut found = Vec::new();
    match spec {
        Spec::JsonSchema { schema, .. } => in_patterns(schema, &mut found),
        Spec::Regex { regex } => in_text(regex, &mut found),
        Spec::Lark { grammar } | Spec::Gbnf { grammar } => in_text(grammar, &mut found),
        // Once a choice has begun there is one way on, or few.
        Spec::JsonObject | Spec::Choice { .. } => {}
    }
    found
}

fn in_text<'a>(text: &'a str, found: &mut Vec<&'a str>) {
    for word in text.split(|c: char| !c.is_alphanumeric()) {
        if (2..=MAX_LENGTH).contains(&word.len()) && found.len() < MAX_WORDS && !found.contains(&word) {
            found.push(word);
        }
    }
}

/// Only the patterns: keys and values of a schema have one way on once they have begun.
fn in_patterns<'a>(schema: &'a Value, found: &mut Vec<&'a str>) {
    match schema {
        Value::Array(items) => items.iter().for_each(|item| in_patterns(item, found)),
        Value::Object(members) => {
            for (key, member) in members {
                match member {
                    Value::String(pattern) if key == "pattern" => in_text(pattern, found),
                    member => in_patterns(member, found),
                }
            }
        }
        _ => {}
    }
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    #[test]
    fn words_of_patterns_are_found_once_and_in_order() {
        let regex = Spec::Regex { regex: "[a-z]*(ing|ed|ing)x".into() };
        assert_eq!(words(&regex), ["ing", "ed"]);
        let schema = json!({"properties": {"name": {"pattern": "^(Mr|Ms) [a-z]+$"}, "pattern": {"type": "string"}}});
        assert_eq!(words(&Spec::JsonSchema { schema, strict: false }), ["Mr", "Ms"]);
        let long = Spec::Regex { regex: (0..1000).map(|n| format!("w{n} ")).collect() };
        assert_eq!(words(&long).len(), MAX_WORDS);
    }
}
