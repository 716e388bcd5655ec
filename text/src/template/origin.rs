//! Where the texts of a conversation come from: a user, unless they are the engine's own words or the name of a role.

use std::ops::RangeInclusive;
use std::rc::Rc;

use serde_json::Value as Json;

use super::TemplateError;
use super::jinja::{Limits, Text, TextBuilder, Value};
use super::json::from_json;

/// Roles of OpenAI's API, which templates make special tokens of (`'<|' + message.role + '|>'`).
const ROLES: [&str; 6] = ["system", "developer", "user", "assistant", "tool", "function"];

/// Characters that no text is meant to have (Unicode's noncharacters of one block), then those without a meaning of their own.
const MARKS: [RangeInclusive<char>; 2] = ['\u{fdd0}'..='\u{fdef}', '\u{e000}'..='\u{f8ff}'];

/// What tells the origin of the texts in messages.
pub(super) struct Origin<'a> {
    /// What stands before and behind the engine's own words.
    pub own: Option<char>,
    /// The template's source.
    pub template: &'a str,
}

impl Origin<'_> {
    /// A message as a template sees it.
    pub fn message(&self, limits: &mut Limits, message: &Json) -> Result<Value, TemplateError> {
        let mut message = from_json(limits, message, &|text| self.text(text))?;
        let Value::Dict(dict) = &mut message else { return Ok(message) };
        for (key, member) in Rc::get_mut(dict).into_iter().flat_map(|dict| &mut dict.pairs) {
            if let (Some("role"), Value::Str(role)) = (key.as_str(), &*member) {
                let is_known = self.is_known(role);
                *member = if is_known { Value::text(role.shared().clone()) } else { continue };
            }
        }
        Ok(message)
    }

    /// Whether a role is one of the API's, or one that the template itself speaks of.
    fn is_known(&self, role: &str) -> bool {
        let quoted = |quote: char| self.template.contains(&format!("{quote}{role}{quote}"));
        ROLES.contains(&role) || quoted('\'') || quoted('"')
    }

    fn text(&self, text: &str) -> Text {
        let Some(mark) = self.own.filter(|mark| text.contains(*mark)) else { return Text::user(text) };
        let mut built = TextBuilder::default();
        for (at, piece) in text.split(mark).enumerate() {
            built.write(at % 2 == 0, |out| out.push_str(piece));
        }
        built.finish()
    }
}

/// A mark that no text of these messages has, written as itself or escaped; none where somebody has used them all. What stands between
/// two of them in a message's text is the engine's own.
pub(super) fn own_mark(messages: &[Json]) -> Option<char> {
    let mut used = Vec::new();
    messages.iter().for_each(|message| collect(message, &mut used));
    MARKS.into_iter().flatten().find(|mark| !used.contains(mark))
}

/// Adds the marks that are used in a value's texts.
fn collect(value: &Json, used: &mut Vec<char>) {
    match value {
        Json::String(text) => collect_text(text, used),
        Json::Array(items) => items.iter().for_each(|item| collect(item, used)),
        Json::Object(members) => members.iter().for_each(|(key, member)| {
            collect_text(key, used);
            collect(member, used);
        }),
        _ => {}
    }
}

fn collect_text(text: &str, used: &mut Vec<char>) {
    let escapes = text.match_indices("\\u").filter_map(|(at, _)| text.get(at + 2..at + 6));
    let escaped = escapes.filter_map(|digits| char::from_u32(u32::from_str_radix(digits, 16).ok()?));
    for c in text.chars().chain(escaped).filter(|c| MARKS.iter().any(|marks| marks.contains(c))) {
        if !used.contains(&c) {
            used.push(c);
        }
    }
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    #[test]
    fn a_mark_is_one_that_no_text_has() {
        let values = [json!({"a": ["x\u{fdd0}"], "\u{fdd1}": 1}), json!("\\uFDD2"), json!("\\ufdd3 \\u")];
        assert_eq!(own_mark(&values), Some('\u{fdd4}'));
    }

    #[test]
    fn a_conversation_with_all_noncharacters_still_has_a_mark() {
        let all = json!(('\u{fdd0}'..='\u{fdef}').collect::<String>());
        assert_eq!(own_mark(&[all]), Some('\u{e000}'));
        let more = json!(MARKS.into_iter().flatten().collect::<String>());
        assert_eq!(own_mark(&[more]), None);
    }
}
