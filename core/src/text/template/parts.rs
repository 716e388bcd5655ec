//! Content as a text or as a list of parts, as the template takes it.

use serde_json::{Value as Json, json};

use super::TemplateError;
use super::capabilities::Capabilities;

/// What OpenAI's API and transformers call the same kind of part.
const ALIASES: [(&str, &str); 5] = [
    ("image_url", "image"),
    ("image", "image_url"),
    ("input_audio", "audio"),
    ("audio", "input_audio"),
    ("video_url", "video"),
];

/// Content in a form that the template takes. Text parts are joined by line breaks for templates that take only texts, and a text
/// is wrapped for those that take only parts. Other parts stay parts, under the name of their kind that the template knows.
///
/// # Errors
/// [`TemplateError::Part`] for a part that the template has no place for.
pub(super) fn content(content: &Json, known: &Capabilities) -> Result<Json, TemplateError> {
    match content {
        Json::Array(parts) => {
            let all_text = parts.iter().all(|part| kind(part) == "text");
            if all_text && !known.parts {
                return Ok(json!(joined(parts)));
            }
            parts.iter().map(|part| one(part, known)).collect()
        }
        Json::String(text) if !known.text && known.parts => Ok(json!([{"type": "text", "text": text}])),
        _ => Ok(content.clone()),
    }
}

/// The texts of parts, joined by line breaks.
pub(super) fn joined(parts: &[Json]) -> String {
    let texts: Vec<&str> = parts.iter().filter_map(|part| part.as_str().or(part["text"].as_str())).collect();
    texts.join("\n")
}

/// A part's kind; a plain string counts as text, and so does what a model refused with.
fn kind(part: &Json) -> &str {
    match part.get("type").and_then(Json::as_str) {
        Some("text" | "input_text" | "output_text") => "text",
        Some(kind) => kind,
        None if part.is_string() || part.get("text").is_some() => "text",
        None => "unknown",
    }
}

fn one(part: &Json, known: &Capabilities) -> Result<Json, TemplateError> {
    let kind = kind(part);
    if kind == "text" {
        let text = part.as_str().or(part["text"].as_str()).unwrap_or_default();
        return Ok(json!({"type": "text", "text": text}));
    }
    if known.media.contains(&kind) {
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
