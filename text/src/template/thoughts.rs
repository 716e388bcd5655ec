//! What an assistant thought before it spoke, where a template has a place for it.
//!
//! Clients give thoughts as a member of the message (`reasoning_content`, `thinking`, `reasoning`) or as parts of its content. Both
//! are brought to the place that the template reads. Where it reads none, they stay a member, and nothing of them is in the prompt:
//! such models are trained to see no earlier thoughts.

use serde_json::{Map, Value as Json, json};

/// The kinds of parts that are thoughts.
pub(crate) const KINDS: [&str; 2] = ["thinking", "reasoning"];

/// The members of a message that hold its thoughts, the first that is set and not empty being the one that counts.
pub(super) const MEMBERS: [&str; 3] = ["reasoning_content", "thinking", "reasoning"];

/// Where a template reads thoughts.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum ThoughtPlace {
    /// In this member of the message.
    Member(&'static str),
    /// In a part of the content of this type, in the member of the same name.
    Part {
        /// The part's type.
        kind: &'static str,
        /// Whether the text stands in a list of text parts, as in Mistral's API.
        listed: bool,
    },
}

impl ThoughtPlace {
    /// All there are, the likeliest first. `reasoning_content` stands for `thinking` too: see [`super::finish`].
    pub(super) const ALL: [ThoughtPlace; 5] = [
        ThoughtPlace::Member("reasoning_content"),
        ThoughtPlace::Member("reasoning"),
        ThoughtPlace::Part { kind: "thinking", listed: false },
        ThoughtPlace::Part { kind: "thinking", listed: true },
        ThoughtPlace::Part { kind: "reasoning", listed: false },
    ];

    /// Puts a message's thoughts here.
    ///
    /// # Errors
    /// What is wrong with them.
    pub(super) fn put(self, message: &mut Map<String, Json>) -> Result<(), &'static str> {
        // Some clients set every member that they know, the others being empty.
        let in_parts = matches!(self, ThoughtPlace::Part { .. });
        let is_in_the_way = |value: &Json| (in_parts || value.is_array()) && says_nothing(value);
        message.retain(|name, value| !(MEMBERS.contains(&name.as_str()) && is_in_the_way(value)));
        let given = MEMBERS
            .into_iter()
            .find_map(|name| Some((name, message.get(name).filter(|member| !says_nothing(member))?)));
        let member = match given {
            Some((name, member)) => {
                let text = text(member).ok_or("its reasoning is no text")?;
                message.insert(name.into(), json!(text));
                Some(text)
            }
            None => None,
        };
        let parts = match message.get("content") {
            Some(Json::Array(parts)) if parts.iter().any(is_thought) => parts.as_slice(),
            _ if member.is_none() => return Ok(()),
            _ => &[],
        };
        let mut thoughts: Vec<String> = member.into_iter().collect();
        for part in parts.iter().filter(|part| is_thought(part)) {
            let thought = part_text(part).ok_or("one of its parts of thought has no text")?;
            // Some clients say the same in both ways.
            thoughts.extend((!thoughts.contains(&thought)).then_some(thought));
        }
        thoughts.retain(|thought| !thought.is_empty());
        match self {
            ThoughtPlace::Member(name) => {
                if let Some(Json::Array(parts)) = message.get_mut("content") {
                    parts.retain(|part| !is_thought(part));
                }
                if thoughts.len() > 1 || !thoughts.is_empty() && message.get(name).is_none_or(says_nothing) {
                    message.insert(name.into(), json!(thoughts.join("\n\n")));
                }
            }
            ThoughtPlace::Part { kind, listed } => {
                MEMBERS.iter().for_each(|name| drop(message.shift_remove(*name)));
                let spoken = match message.get_mut("content").map(Json::take) {
                    Some(Json::Array(parts)) => parts.into_iter().filter(|part| !is_thought(part)).collect(),
                    Some(content) if thoughts.is_empty() => {
                        message.insert("content".into(), content);
                        return Ok(());
                    }
                    Some(Json::String(text)) if !text.is_empty() => vec![json!({"type": "text", "text": text})],
                    Some(Json::String(_) | Json::Null) | None => Vec::new(),
                    Some(_) => return Err("its content is neither a text nor a list of parts"),
                };
                let thought = |text: String| match listed {
                    true => json!({"type": kind, kind: [{"type": "text", "text": text}]}),
                    false => json!({"type": kind, kind: text}),
                };
                message.insert("content".into(), thoughts.into_iter().map(thought).chain(spoken).collect());
            }
        }
        Ok(())
    }

    /// Whether parts of this type are thoughts in their place.
    pub(super) fn takes(self, part_kind: &str) -> bool {
        matches!(self, ThoughtPlace::Part { kind, .. } if kind == part_kind)
    }
}

pub(super) fn is_thought(part: &Json) -> bool {
    part["type"].as_str().is_some_and(|kind| KINDS.contains(&kind))
}

/// The text of a part of thought: in the member of its type's name, or in `text`.
fn part_text(part: &Json) -> Option<String> {
    KINDS.iter().chain(&["text"]).find_map(|name| text(part.get(*name)?))
}

/// A text, or the text of a list of text parts.
fn text(value: &Json) -> Option<String> {
    match value {
        Json::String(text) => Some(text.clone()),
        Json::Array(parts) => {
            parts.iter().map(|part| part.as_str().or(part["text"].as_str())).collect::<Option<String>>()
        }
        _ => None,
    }
}

fn says_nothing(member: &Json) -> bool {
    member.is_null() || text(member).is_some_and(|text| text.is_empty())
}

#[cfg(test)]
mod tests {
    use super::*;

    fn put(place: ThoughtPlace, message: Json) -> Result<Json, &'static str> {
        let mut message = message.as_object().cloned().unwrap_or_default();
        place.put(&mut message).map(|()| Json::Object(message))
    }

    const MEMBER: ThoughtPlace = ThoughtPlace::Member("reasoning_content");
    const PART: ThoughtPlace = ThoughtPlace::Part { kind: "thinking", listed: false };

    #[test]
    fn thoughts_in_parts_become_a_member() {
        let thinking =
            json!({"type": "thinking", "thinking": [{"type": "text", "text": "a"}, {"type": "text", "text": "b"}]});
        let content = json!([thinking, {"type": "text", "text": "c"}, {"type": "reasoning", "text": "d"}]);
        let message = put(MEMBER, json!({"content": content})).unwrap();
        assert_eq!(message, json!({"content": [{"type": "text", "text": "c"}], "reasoning_content": "ab\n\nd"}));
    }

    #[test]
    fn a_member_becomes_a_part_in_front() {
        let thought = json!({"type": "thinking", "thinking": "a"});
        for name in MEMBERS {
            let message = put(PART, json!({name: "a", "content": "c"})).unwrap();
            assert_eq!(message, json!({"content": [thought, {"type": "text", "text": "c"}]}), "{name}");
        }
        assert_eq!(put(PART, json!({"thinking": "a", "content": null})).unwrap(), json!({"content": [thought]}));
        assert_eq!(put(PART, json!({"content": "c"})).unwrap(), json!({"content": "c"}));
        let listed =
            put(ThoughtPlace::Part { kind: "thinking", listed: true }, json!({"reasoning": "a", "content": ""}));
        assert_eq!(listed.unwrap()["content"][0]["thinking"], json!([{"type": "text", "text": "a"}]));
    }

    #[test]
    fn what_is_said_in_both_ways_is_said_once() {
        let message = json!({"reasoning_content": "a", "content": [{"type": "reasoning", "reasoning": "a"}]});
        assert_eq!(put(MEMBER, message.clone()).unwrap(), json!({"reasoning_content": "a", "content": []}));
        assert_eq!(put(PART, message).unwrap(), json!({"content": [{"type": "thinking", "thinking": "a"}]}));
    }

    #[test]
    fn an_empty_thought_is_none() {
        let empty = json!({"reasoning_content": "", "content": "c"});
        assert_eq!(put(PART, empty.clone()).unwrap(), json!({"content": "c"}));
        assert_eq!(put(ThoughtPlace::Member("reasoning"), empty.clone()).unwrap(), empty);
    }

    #[test]
    fn an_empty_member_hides_no_thought_in_another() {
        for empty in [json!(""), json!([]), json!([{"type": "text", "text": ""}]), json!(null)] {
            for (first, second) in [("reasoning_content", "reasoning"), ("thinking", "reasoning")] {
                let message = json!({first: empty, second: "T", "content": "c"});
                assert_eq!(put(MEMBER, message.clone()).unwrap()["reasoning_content"], "T", "{message}");
                assert_eq!(put(PART, message.clone()).unwrap()["content"][0]["thinking"], "T", "{message}");
            }
        }
    }

    #[test]
    fn a_member_that_is_a_list_becomes_its_text() {
        let listed = json!({"thinking": [{"type": "text", "text": "a"}], "content": "c"});
        assert_eq!(put(MEMBER, listed).unwrap(), json!({"thinking": "a", "content": "c", "reasoning_content": "a"}));
    }

    #[test]
    fn thoughts_that_are_no_text_are_an_error() {
        assert!(put(MEMBER, json!({"reasoning_content": 5})).is_err());
        assert!(put(PART, json!({"content": [{"type": "thinking", "thinking": {"a": 1}}]})).is_err());
    }
}
