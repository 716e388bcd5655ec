//! Content as a text or as a list of parts, as the template takes it.

use serde_json::{Value as Json, json};

use super::TemplateError;
use super::capabilities::Capabilities;
use super::thoughts;

/// What OpenAI's API and transformers call the same kind of part.
const ALIASES: [(&str, &str); 5] = [
    ("image_url", "image"),
    ("image", "image_url"),
    ("input_audio", "audio"),
    ("audio", "input_audio"),
    ("video_url", "video"),
];

/// A message's content in a form that the template takes. Text parts are joined by line breaks where the template takes only texts,
/// and in all messages but a user's; a text is wrapped for templates that take only parts. Other parts stay parts, under the name of
/// their kind that the template knows.
///
/// # Errors
/// [`TemplateError::Part`] for a part that the template has no place for; `wrong` with the reason where it is no content.
pub(super) fn content(
    content: &Json,
    role: &str,
    known: &Capabilities,
    wrong: impl Fn(&'static str) -> TemplateError,
) -> Result<Json, TemplateError> {
    match content {
        Json::Array(parts) => {
            if parts.iter().any(|part| kind(part) == "text" && text(part).is_none()) {
                return Err(wrong("one of its parts of text has no text"));
            }
            let all_text = parts.iter().all(|part| kind(part) == "text");
            // Templates that take parts of a user's may take the first alone of others, or print them as they are.
            if all_text && (!known.parts || known.text && role != "user") {
                return Ok(json!(joined(parts)));
            }
            parts.iter().map(|part| one(part, role, known)).collect()
        }
        Json::String(text) if !known.text && known.parts => Ok(json!([{"type": "text", "text": text}])),
        Json::String(_) => Ok(content.clone()),
        _ => Err(wrong("its content is neither a text nor a list of parts")),
    }
}

/// The first part among messages that is neither text nor a thought: the message's place, the part's, and its kind.
pub fn media(messages: &[Json]) -> Option<(usize, usize, &str)> {
    let parts = messages.iter().enumerate().flat_map(|(at, message)| {
        let parts = message["content"].as_array().into_iter().flatten().enumerate();
        parts.map(move |(part, content)| (message, at, part, content))
    });
    parts.into_iter().find_map(|(message, at, part, content)| {
        let kind = kind(content);
        let is_thought = message["role"] == "assistant" && thoughts::KINDS.contains(&kind);
        (kind != "text" && !is_thought).then_some((at, part, kind))
    })
}

/// The text of a part of text.
fn text(part: &Json) -> Option<&str> {
    let member = if part["type"] == "refusal" { "refusal" } else { "text" };
    part.as_str().or(part[member].as_str())
}

/// The texts of parts, joined by line breaks.
pub(super) fn joined(parts: &[Json]) -> String {
    let texts: Vec<&str> = parts.iter().filter_map(text).collect();
    texts.join("\n")
}

/// A part's kind; a plain string counts as text, and so does what a model refused with.
fn kind(part: &Json) -> &str {
    match part.get("type").and_then(Json::as_str) {
        Some("text" | "input_text" | "output_text" | "refusal") => "text",
        Some(kind) => kind,
        None if part.is_string() || part.get("text").is_some() => "text",
        None => "unknown",
    }
}

fn one(part: &Json, role: &str, known: &Capabilities) -> Result<Json, TemplateError> {
    let kind = kind(part);
    if kind == "text" {
        return Ok(json!({"type": "text", "text": text(part)}));
    }
    if known.media.contains(&kind) || role == "assistant" && known.thoughts.is_some_and(|place| place.takes(kind)) {
        return Ok(part.clone());
    }
    let alias = ALIASES.iter().find(|(name, alias)| *name == kind && known.media.contains(alias));
    let (_, alias) = alias.ok_or_else(|| TemplateError::Part(kind.to_owned()))?;
    let mut renamed = part.clone();
    renamed["type"] = json!(alias);
    // Templates look at the kind, or for a member of its name.
    if renamed.get(*alias).is_none() {
        renamed[*alias] = part.get(kind).cloned().unwrap_or(Json::Bool(true));
    }
    Ok(renamed)
}
