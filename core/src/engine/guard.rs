//! What users write never steers a model: where it looks like a special token it is marked before a template mixes it with the
//! template's own words, and found again behind that.

use serde_json::Value;

use crate::text::Tokenizer;

/// Characters that no text is meant to have (Unicode's noncharacters of one block); one that the conversation does not have
/// serves as mark.
const MARKS: std::ops::RangeInclusive<char> = '\u{fdd0}'..='\u{fdef}';

/// A mark that no text of these values has; none where all of them are used, which nobody does by accident.
pub(super) fn mark_for<'v>(values: impl Iterator<Item = &'v Value> + Clone) -> Option<char> {
    MARKS.into_iter().find(|mark| !values.clone().any(|value| has(value, *mark)))
}

fn has(value: &Value, mark: char) -> bool {
    match value {
        Value::String(text) => text.contains(mark),
        Value::Array(items) => items.iter().any(|item| has(item, mark)),
        Value::Object(members) => members.values().any(|member| has(member, mark)),
        _ => false,
    }
}

/// The values with `mark` in front of every place in their texts that looks like a special token.
pub(super) fn guarded(values: &[Value], tokenizer: &Tokenizer, mark: char) -> Vec<Value> {
    values.iter().map(|value| guard(value, tokenizer, mark)).collect()
}

fn guard(value: &Value, tokenizer: &Tokenizer, mark: char) -> Value {
    match value {
        Value::String(text) => {
            let mut marked = String::with_capacity(text.len());
            let mut done = 0;
            for at in tokenizer.look_alikes(text) {
                marked.push_str(&text[done..at]);
                marked.push(mark);
                done = at;
            }
            marked.push_str(&text[done..]);
            Value::String(marked)
        }
        Value::Array(items) => Value::Array(guarded(items, tokenizer, mark)),
        Value::Object(members) => {
            Value::Object(members.iter().map(|(key, member)| (key.clone(), guard(member, tokenizer, mark))).collect())
        }
        other => other.clone(),
    }
}

/// The text without marks, and the places where they stood.
pub(super) fn unguard(text: &str, mark: char) -> (String, Vec<usize>) {
    let mut plain = String::with_capacity(text.len());
    let mut places = Vec::new();
    for piece in text.split_inclusive(mark) {
        match piece.strip_suffix(mark) {
            Some(piece) => {
                plain.push_str(piece);
                places.push(plain.len());
            }
            None => plain.push_str(piece),
        }
    }
    (plain, places)
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    #[test]
    fn marks_are_found_where_they_were_put() {
        assert_eq!(unguard("a\u{fdd0}b\u{fdd0}", '\u{fdd0}'), ("ab".into(), vec![1, 2]));
        assert_eq!(unguard("", '\u{fdd0}'), (String::new(), vec![]));
    }

    #[test]
    fn a_mark_is_one_that_no_text_has() {
        let values = [json!({"a": ["x\u{fdd0}"]}), json!("\u{fdd1}")];
        assert_eq!(mark_for(values.iter()), Some('\u{fdd2}'));
        let all = json!(MARKS.collect::<String>());
        assert_eq!(mark_for([&all].into_iter()), None);
    }
}
