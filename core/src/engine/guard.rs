//! What users write never steers a model: where it looks like a special token it is marked before a template mixes it with the
//! template's own words, and found again behind that.

use std::collections::BTreeSet;
use std::ops::RangeInclusive;

use serde_json::Value;

use crate::text::Tokenizer;

/// Characters that no text is meant to have (Unicode's noncharacters of one block), then those without a meaning of their own. One
/// that the conversation does not have serves as mark.
const MARKS: [RangeInclusive<char>; 2] = ['\u{fdd0}'..='\u{fdef}', '\u{e000}'..='\u{f8ff}'];

/// How JSON in ASCII alone writes a mark, as templates with `tojson(ensure_ascii=true)` do.
fn escaped(mark: char) -> String {
    format!("\\u{:04x}", u32::from(mark))
}

/// A mark that no text of these values has, written as itself or escaped; none where somebody has used them all.
pub(super) fn mark_for<'v>(values: impl Iterator<Item = &'v Value>) -> Option<char> {
    let mut used = BTreeSet::new();
    values.for_each(|value| collect(value, &mut used));
    MARKS.into_iter().flatten().find(|mark| !used.contains(mark))
}

/// Adds the marks that are used in a value's texts.
fn collect(value: &Value, used: &mut BTreeSet<char>) {
    match value {
        Value::String(text) => collect_text(text, used),
        Value::Array(items) => items.iter().for_each(|item| collect(item, used)),
        Value::Object(members) => members.iter().for_each(|(key, member)| {
            collect_text(key, used);
            collect(member, used);
        }),
        _ => {}
    }
}

fn collect_text(text: &str, used: &mut BTreeSet<char>) {
    used.extend(text.chars().filter(|c| MARKS.iter().any(|marks| marks.contains(c))));
    let escapes = text.match_indices("\\u").filter_map(|(at, _)| text.get(at + 2..at + 6));
    used.extend(escapes.filter_map(|digits| char::from_u32(u32::from_str_radix(digits, 16).ok()?)));
}

/// The values with `mark` in front of every place in their texts that looks like a special token.
pub(super) fn guarded(values: &[Value], tokenizer: &Tokenizer, mark: char) -> Vec<Value> {
    values.iter().map(|value| guard(value, tokenizer, mark)).collect()
}

fn guard(value: &Value, tokenizer: &Tokenizer, mark: char) -> Value {
    match value {
        Value::String(text) => Value::String(guard_text(text, tokenizer, mark)),
        Value::Array(items) => Value::Array(guarded(items, tokenizer, mark)),
        Value::Object(members) => {
            let member = |(key, member): (&String, &Value)| {
                let opened = hidden(key, member).map(|hidden| (guard(&hidden, tokenizer, mark), hidden));
                let member = match opened {
                    Some((guarded, hidden)) if guarded != hidden => guarded,
                    _ => guard(member, tokenizer, mark),
                };
                (guard_text(key, tokenizer, mark), member)
            };
            Value::Object(members.iter().map(member).collect())
        }
        other => other.clone(),
    }
}

/// The arguments of a call whose JSON text has escapes: what they hide would show once the text is read.
fn hidden(key: &str, member: &Value) -> Option<Value> {
    let text = member.as_str().filter(|text| key == "arguments" && text.contains("\\u"))?;
    serde_json::from_str(text).ok().filter(Value::is_object)
}

fn guard_text(text: &str, tokenizer: &Tokenizer, mark: char) -> String {
    let mut marked = String::with_capacity(text.len());
    let mut done = 0;
    for at in tokenizer.look_alikes(text) {
        marked.push_str(&text[done..at]);
        marked.push(mark);
        done = at;
    }
    marked.push_str(&text[done..]);
    marked
}

/// The text without marks, and the places where they stood.
pub(super) fn unguard(text: &str, mark: char) -> (String, Vec<usize>) {
    let mut plain = String::with_capacity(text.len());
    let mut places = Vec::new();
    let escape = escaped(mark);
    for piece in text.split_inclusive(mark) {
        let ended = piece.strip_suffix(mark);
        for (index, part) in ended.unwrap_or(piece).split(&escape).enumerate() {
            places.extend((index > 0).then_some(plain.len()));
            plain.push_str(part);
        }
        places.extend(ended.map(|_| plain.len()));
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
        assert_eq!(unguard("a\\ufdd0b\u{fdd0}c\\ufdd0", '\u{fdd0}'), ("abc".into(), vec![1, 2, 3]));
    }

    #[test]
    fn a_mark_is_one_that_no_text_has() {
        let values = [json!({"a": ["x\u{fdd0}"], "\u{fdd1}": 1}), json!("\\uFDD2"), json!("\\ufdd3 \\u")];
        assert_eq!(mark_for(values.iter()), Some('\u{fdd4}'));
    }

    #[test]
    fn a_conversation_with_all_noncharacters_still_has_a_mark() {
        let all = json!(('\u{fdd0}'..='\u{fdef}').collect::<String>());
        assert_eq!(mark_for([&all].into_iter()), Some('\u{e000}'));
        let more = json!(MARKS.into_iter().flatten().collect::<String>());
        assert_eq!(mark_for([&more].into_iter()), None);
    }
}
