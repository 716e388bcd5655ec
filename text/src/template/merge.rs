//! Messages that become one, since a template takes only one where a conversation has several.

use std::borrow::Cow;

use serde_json::{Map, Value as Json, json};

use super::parts;

/// Joins system and developer messages at the beginning to one, which keeps the first one's role.
pub(super) fn join_leading_system(messages: &mut Vec<Json>) {
    let is_system = |message: &&Json| message["role"] == "system" || message["role"] == "developer";
    let leading = messages.iter().take_while(is_system).count();
    if leading > 1 {
        let texts: Vec<String> = messages[..leading].iter().map(|message| text(message).into_owned()).collect();
        let is_list = messages[0]["content"].is_array();
        let joined = texts.join("\n\n");
        messages[0]["content"] = if is_list { json!([{"type": "text", "text": joined}]) } else { json!(joined) };
        messages.drain(1..leading);
    }
}

/// Puts the text of system messages at the beginning before that of the first user message.
pub(super) fn merge_system(messages: &mut Vec<Json>) {
    let leading = messages.iter().take_while(|message| message["role"] == "system").count();
    if leading == 0 {
        return;
    }
    let system: Vec<String> = messages.drain(..leading).map(|message| text(&message).into_owned()).collect();
    let system = system.join("\n\n");
    match messages.first_mut().filter(|message| message["role"] == "user") {
        Some(_) if system.is_empty() => {}
        Some(user) => match &mut user["content"] {
            Json::Array(parts) => parts.insert(0, json!({"type": "text", "text": format!("{system}\n\n")})),
            _ => user["content"] = json!(format!("{system}\n\n{}", text(user))),
        },
        None => messages.insert(0, json!({"role": "user", "content": system})),
    }
}

/// Joins messages of this role that follow each other, an empty line between their contents. One that calls tools is the last of those
/// that are joined, and one with a thought the first.
pub(super) fn join_neighbours(messages: Vec<Map<String, Json>>, role: &str) -> Vec<Map<String, Json>> {
    let mut joined: Vec<Map<String, Json>> = Vec::with_capacity(messages.len());
    for mut message in messages {
        let is_role = |message: &Map<String, Json>| message.get("role").is_some_and(|found| found == role);
        let before = joined.last_mut().filter(|before| is_role(before) && !before.contains_key("tool_calls"));
        match before.filter(|_| is_role(&message) && !has_thought(&message)) {
            Some(before) => {
                let contents =
                    [before.get("content"), message.get("content")].map(|content| content.unwrap_or(&Json::Null));
                let content = both(contents);
                before.insert("content".into(), content);
                before.extend(message.shift_remove("tool_calls").map(|calls| ("tool_calls".to_owned(), calls)));
            }
            None => joined.push(message),
        }
    }
    joined
}

fn has_thought(message: &Map<String, Json>) -> bool {
    let in_content = |content: &Json| content.as_array().into_iter().flatten().any(super::thoughts::is_thought);
    super::thoughts::MEMBERS.iter().any(|name| message.contains_key(*name))
        || message.get("content").is_some_and(in_content)
}

/// Two contents as one.
fn both([first, second]: [&Json; 2]) -> Json {
    let is_empty = |content: &Json| content.is_null() || content == "" || content.as_array().is_some_and(Vec::is_empty);
    match (first, second) {
        (first, second) if is_empty(second) => first.clone(),
        (first, second) if is_empty(first) => second.clone(),
        (Json::String(first), Json::String(second)) => json!(format!("{first}\n\n{second}")),
        (first, second) => {
            let parts = |content: &Json| match content {
                Json::Array(parts) => parts.clone(),
                text => vec![json!({"type": "text", "text": text})],
            };
            let between = json!({"type": "text", "text": "\n\n"});
            parts(first).into_iter().chain([between]).chain(parts(second)).collect()
        }
    }
}

/// A message's text, of parts too.
fn text(message: &Json) -> Cow<'_, str> {
    match &message["content"] {
        Json::String(text) => Cow::Borrowed(text),
        Json::Array(parts) => parts::joined(parts).into(),
        _ => Cow::Borrowed(""),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn neighbours(messages: Json, role: &str) -> Json {
        let messages =
            messages.as_array().unwrap().iter().map(|message| message.as_object().unwrap().clone()).collect();
        join_neighbours(messages, role).into_iter().map(Json::Object).collect()
    }

    #[test]
    fn neighbours_of_one_role_are_one_message() {
        let user = |content: Json| json!({"role": "user", "content": content});
        let other = json!({"role": "assistant", "content": "x"});
        let said = json!([user(json!("a")), user(json!("b")), other, user(json!("")), user(json!("c"))]);
        assert_eq!(neighbours(said, "user"), json!([user(json!("a\n\nb")), other, user(json!("c"))]));
        let image = json!({"type": "image"});
        let parts = neighbours(json!([user(json!("a")), user(json!([image]))]), "user");
        let text = |text: &str| json!({"type": "text", "text": text});
        assert_eq!(parts, json!([user(json!([text("a"), text("\n\n"), image]))]));
    }

    #[test]
    fn calls_come_last_and_thoughts_first() {
        let said = |content: &str| json!({"role": "assistant", "content": content});
        let calling = json!({"role": "assistant", "content": "", "tool_calls": [1]});
        let thinking = json!({"role": "assistant", "content": "c", "reasoning_content": "t"});
        let joined = neighbours(json!([said("a"), calling, said("b"), thinking]), "assistant");
        let first = json!({"role": "assistant", "content": "a", "tool_calls": [1]});
        assert_eq!(joined, json!([first, said("b"), thinking]));
    }
}
