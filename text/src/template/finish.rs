//! What transformers does to messages before a template sees them, and to the text of a message that is to be continued.

use serde_json::{Map, Value as Json};

use super::TemplateError;
use super::jinja::is_space;
use super::thoughts;

/// What marks the end of the message to be continued, as in transformers: templates may look at its length.
const MARK: &str = "CONTINUE_FINAL_MESSAGE_TAG ";

/// A message without members that are null, and with its reasoning under the names that templates ask for.
pub(super) fn plain_message(message: &Json) -> Json {
    let Json::Object(members) = message else { return message.clone() };
    let mut plain: Map<String, Json> = members
        .iter()
        .filter(|(_, value)| !value.is_null())
        .map(|(name, value)| (name.clone(), value.clone()))
        .collect();
    if let Some(reasoning) = thoughts::MEMBERS.iter().find_map(|name| plain.get(*name)).cloned() {
        // Before the others, where a template that prints the whole message shows it.
        let thinking = plain.shift_remove("thinking").unwrap_or_else(|| reasoning.clone());
        plain.shift_insert(0, "thinking".into(), thinking);
        plain.insert("reasoning_content".into(), reasoning);
    }
    Json::Object(plain)
}

/// How to cut a prompt within its last message.
pub(super) struct Cut {
    /// The last message's own text.
    content: String,
}

/// Marks the end of the last message. `own`: what stands around the engine's own words in it.
///
/// # Errors
/// [`TemplateError::CannotContinue`] where there is none, or none with text.
pub(super) fn mark(
    messages: &mut [Json],
    source: &str,
    prompts: bool,
    own: Option<char>,
) -> Result<Cut, TemplateError> {
    let refuse = |why: &'static str| TemplateError::CannotContinue(why);
    if prompts {
        return Err(refuse("a generation prompt begins another message; ask for one of the two"));
    }
    let last = messages.last_mut().ok_or_else(|| refuse("there is no message"))?;
    let content = last.get_mut("content").ok_or_else(|| refuse("it has no content"))?;
    if !source.contains("content") {
        return Err(refuse("the chat template does not show a message's content"));
    }
    let text = match content {
        Json::Array(parts) => parts.iter_mut().rev().find_map(|part| part.get_mut("text")),
        content => Some(content),
    };
    let Some(Json::String(text)) = text else {
        return Err(refuse("it has no text"));
    };
    let content = text.chars().filter(|c| own != Some(*c)).collect();
    text.push_str(MARK);
    Ok(Cut { content })
}

impl Cut {
    /// The prompt up to the mark. White space before the mark stays if the template kept what stands behind the mark, too.
    ///
    /// # Errors
    /// [`TemplateError::CannotContinue`] if the template changed or dropped the message.
    pub(super) fn apply(&self, mut text: String) -> Result<String, TemplateError> {
        let content = self.content.trim_matches(is_space);
        let at = text.rfind(MARK.trim_end()).filter(|_| text.contains(content));
        let at = at.ok_or(TemplateError::CannotContinue("the chat template does not show it as it is"))?;
        let keeps_space = text[at..].starts_with(MARK);
        text.truncate(at);
        if !keeps_space {
            text.truncate(text.trim_end_matches(is_space).len());
        }
        Ok(text)
    }
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    #[test]
    fn reasoning_has_all_names_and_null_members_go() {
        let message = json!({"role": "assistant", "content": null, "reasoning": "r", "tool_calls": null});
        let plain = json!({"thinking": "r", "role": "assistant", "reasoning": "r", "reasoning_content": "r"});
        assert_eq!(plain_message(&message).to_string(), plain.to_string());
        let both = json!({"thinking": "a", "reasoning_content": "b"});
        assert_eq!(plain_message(&both), both);
    }

    #[test]
    fn parts_are_continued_at_their_last_text() {
        let mut messages = [json!({"content": [{"text": "a"}, {"text": "b "}, {"type": "image"}]})];
        let cut = mark(&mut messages, "content", false, None).unwrap();
        assert_eq!(messages[0]["content"][1]["text"], format!("b {MARK}"));
        assert_eq!(cut.apply(format!("a|b {MARK}|end")).unwrap(), "a|b ");
        assert_eq!(cut.apply(format!("a|b {}|end", MARK.trim())).unwrap(), "a|b");
        assert!(matches!(cut.apply("a".into()), Err(TemplateError::CannotContinue(_))));
    }
}
