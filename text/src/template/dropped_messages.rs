//! Messages that a template leaves out without a word.

use serde_json::{Value as Json, json};

use super::{ChatTemplate, TemplateInput};

/// The first message whose text does not come into the prompt. Found by rendering once more, with marks for texts; only messages are
/// tried that templates do leave out: system messages, and those of roles that they may not ask for.
pub(super) fn first(template: &ChatTemplate, input: &TemplateInput<'_>) -> Option<usize> {
    let odd: Vec<usize> = odd(input.messages).collect();
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
    odd.into_iter().find(|&at| !text.contains(&mark(at)))
}

/// Where the message that is found at `at` stands among the messages as they were given. Those in front may have gone into another
/// since, and calls into messages of their own, but all others of the roles that are looked at are still there.
pub(super) fn given_place(at: usize, messages: &[Json], given: &[Json]) -> usize {
    let behind = odd(messages).filter(|odd| *odd > at).count();
    odd(given).nth_back(behind).unwrap_or(at)
}

/// The places of messages that templates are known to leave out.
fn odd(messages: &[Json]) -> impl DoubleEndedIterator<Item = usize> {
    let is_odd = |message: &Json| !matches!(message["role"].as_str(), Some("user" | "assistant" | "tool"));
    (0..messages.len()).filter(move |&at| is_odd(&messages[at]))
}

/// The mark of a message; none is the beginning of another.
fn mark(at: usize) -> String {
    format!("message{at}mark")
}

#[cfg(test)]
mod tests {
    use super::*;

    fn messages(roles: &[&str]) -> Vec<Json> {
        roles.iter().map(|role| json!({"role": role, "content": "x"})).collect()
    }

    fn first_of(source: &str, roles: &[&str]) -> Option<usize> {
        let template = ChatTemplate::new(source).unwrap();
        first(&template, &TemplateInput { messages: &messages(roles), ..TemplateInput::default() })
    }

    #[test]
    fn a_message_of_a_role_that_is_not_asked_for_is_found() {
        let asking = "{% for m in messages %}{% if m.role in ['user', 'assistant', 'context'] %}{{ m.content }}{% endif %}{% endfor %}";
        assert_eq!(first_of(asking, &["user", "narrator"]), Some(1));
        assert_eq!(first_of(asking, &["narrator", "user"]), Some(0));
        assert_eq!(first_of(asking, &["context", "user", "assistant", "context"]), None);
        let all = "{% for m in messages %}{{ m.role ~ m.content | upper }}{% endfor %}";
        assert_eq!(first_of(all, &["user", "narrator"]), None);
    }

    #[test]
    fn a_system_message_that_is_only_shown_in_front_is_found_behind() {
        let front =
            "{{ messages[0].content }}{% for m in messages[1:] if m.role != 'system' %}{{ m.content }}{% endfor %}";
        assert_eq!(first_of(front, &["system", "user"]), None);
        assert_eq!(first_of(front, &["system", "user", "assistant", "system", "user"]), Some(3));
        assert_eq!(first_of(front, &["system", "system", "user"]), Some(1));
    }

    #[test]
    fn places_are_those_of_the_messages_as_they_were_given() {
        let given = messages(&["system", "developer", "user", "assistant", "system", "user", "narrator"]);
        let merged = messages(&["user", "assistant", "system", "user", "narrator"]);
        assert_eq!((given_place(2, &merged, &given), given_place(4, &merged, &given)), (4, 6));
        assert_eq!(given_place(1, &given, &given), 1);
    }
}
