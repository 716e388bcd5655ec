//! Messages that a template leaves out without a word.

use serde_json::{Value as Json, json};

use super::{ChatTemplate, TemplateInput};

/// The place among `given`, of which `input` has the normal form, of the first message whose text does not come into the prompt. Found by rendering once more, with marks for texts; only messages are
/// tried that templates do leave out: of roles that they may not ask for, and system messages behind the first message. (What
/// [`Capabilities`](super::Capabilities) say of the first is seen to already.)
pub(super) fn first(template: &ChatTemplate, input: &TemplateInput<'_>, given: &[Json]) -> Option<usize> {
    let odd = odd(input.messages);
    if odd.is_empty() {
        return None;
    }
    let mut messages = input.messages.to_vec();
    for &at in &odd {
        let content = &mut messages[at]["content"];
        *content = if content.is_array() { json!([{"type": "text", "text": mark(at)}]) } else { json!(mark(at)) };
    }
    // A template may change the case.
    let text = template.render(&TemplateInput { messages: &messages, ..input.clone() }).ok()?.to_lowercase();
    let found = odd.iter().position(|&at| !text.contains(&mark(at)))?;
    // Those in front may have gone into another message; all others are still there.
    self::odd(given).into_iter().nth_back(odd.len() - 1 - found)
}

/// The places of messages that templates are known to leave out.
fn odd(messages: &[Json]) -> Vec<usize> {
    let is_odd = |at: usize| match messages[at]["role"].as_str() {
        Some("user" | "assistant" | "tool") => false,
        Some("system" | "developer") => at > 0,
        _ => true,
    };
    (0..messages.len()).filter(|&at| is_odd(at)).collect()
}

/// The mark of a message; none is the beginning of another.
fn mark(at: usize) -> String {
    format!("message{at}mark")
}

#[cfg(test)]
mod tests {
    use super::*;

    fn first_of(source: &str, roles: &[&str]) -> Option<usize> {
        let messages: Vec<Json> = roles.iter().map(|role| json!({"role": role, "content": "x"})).collect();
        let template = ChatTemplate::new(source).unwrap();
        first(&template, &TemplateInput { messages: &messages, ..TemplateInput::default() }, &messages)
    }

    #[test]
    fn a_message_of_a_role_that_is_not_asked_for_is_found() {
        let asking = "{% for m in messages %}{% if m.role in ['user', 'assistant', 'context'] %}{{ m.content }}{% endif %}{% endfor %}";
        assert_eq!(first_of(asking, &["user", "narrator"]), Some(1));
        assert_eq!(first_of(asking, &["narrator", "user"]), Some(0));
        assert_eq!(first_of(asking, &["context", "user", "assistant", "context"]), None);
        assert_eq!(
            first_of("{% for m in messages %}{{ m.role ~ m.content }}{% endfor %}", &["user", "narrator"]),
            None
        );
    }

    #[test]
    fn a_system_message_that_is_only_shown_in_front_is_found_behind() {
        let front =
            "{{ messages[0].content }}{% for m in messages[1:] if m.role != 'system' %}{{ m.content }}{% endfor %}";
        assert_eq!(first_of(front, &["system", "user"]), None);
        assert_eq!(first_of(front, &["system", "user", "assistant", "system", "user"]), Some(3));
        assert_eq!(first_of(front, &["system", "system", "user"]), Some(1));
    }
}
