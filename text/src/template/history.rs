//! Brings a conversation in the form of OpenAI's API into the form that a template takes, so that nothing in it is lost without a
//! word: what a template has no place for is an error.

use serde_json::{Map, Value as Json, json};

use super::calls::{CallIds, one_by_one};
use super::capabilities::Capabilities;
use super::thoughts::ThoughtPlace;
use super::{ChatTemplate, TemplateError, merge, parts, thoughts};
use crate::output::ToolCallFormat;

/// The members of messages that this module, or every template, reads.
const READ: [&str; 6] = ["role", "content", "name", "tool_calls", "tool_call_id", "function_call"];

/// Members of an answer's message that say something of the answer, and nothing to the model.
const SAYS_NOTHING: [&str; 3] = ["annotations", "parsed", "malformed_tool_calls"];

/// The messages as `template` takes them.
///
/// - Content that is null or missing is an empty text; only a message that calls tools goes without where the template allows it, as
///   in transformers. What a model refused with is its content.
/// - Content parts: see [`parts`]. Thoughts: see [`thoughts`]. Calls and results: see [`super::calls`].
/// - `function_call` and the role `function` are a call and its result in their older form.
/// - Calls that the template leaves to the content are written into it, in the format that the template speaks of.
/// - Several calls in a message become several messages where the template knows only one.
/// - `developer` becomes `system` where the template does not know it.
/// - System messages at the beginning become one, with an empty line between, where the template takes only one. They go before the first
///   user message's text where the template refuses or leaves out a system message. (Where it leaves it out in some conversations,
///   [`super::choice`] sees to that.)
/// - Messages of a user, or of the assistant, that follow each other become one where the template insists that roles alternate.
/// - A `name` is left out where the template does not read it, as everywhere.
///
/// # Errors
/// [`TemplateError::Message`], [`TemplateError::Member`], [`TemplateError::Unsupported`], [`TemplateError::Part`] and
/// [`TemplateError::ToolResult`].
pub(super) fn normalise(
    messages: &[Json],
    has_tools: bool,
    template: &ChatTemplate,
    tool_call_format: Option<ToolCallFormat>,
) -> Result<Vec<Json>, TemplateError> {
    let known = template.capabilities();
    if has_tools && !known.tools {
        return Err(TemplateError::Unsupported("tools"));
    }
    let mut ids = CallIds::new(known, tool_call_format, messages);
    let mut normal = Vec::with_capacity(messages.len());
    for (at, message) in messages.iter().enumerate() {
        let wrong = |why| TemplateError::Message { at, why };
        let members = message.as_object().ok_or_else(|| wrong("it is no object"))?;
        let mut members = members.clone();
        members.retain(|name, value| !value.is_null() && !SAYS_NOTHING.contains(&name.as_str()));
        old_names(&mut members).map_err(wrong)?;
        let role = members.get("role").and_then(Json::as_str).ok_or_else(|| wrong("it has no role"))?.to_owned();
        if role == "developer" && !known.developer {
            members.insert("role".into(), json!("system"));
        }
        match role.as_str() {
            "assistant" => {
                refusal(&mut members).map_err(wrong)?;
                known.thoughts.unwrap_or(ThoughtPlace::ALL[0]).put(&mut members).map_err(wrong)?;
                ids.calls(at, &mut members)?;
            }
            "tool" => ids.result(at, &mut members)?,
            _ => {}
        }
        let is_read = |name: &&String| {
            let name = name.as_str();
            READ.contains(&name) || thoughts::MEMBERS.contains(&name) || mentions(template.source(), name)
        };
        // A flag that is not set asks nothing.
        if let Some((name, _)) = members.iter().find(|(name, value)| !is_read(name) && **value != json!(false)) {
            return Err(TemplateError::Member { at, name: name.clone() });
        }
        content(&mut members, &role, known, wrong)?;
        normal.push(members);
    }
    if known.calls && !known.parallel_calls {
        normal = one_by_one(normal);
    }
    for role in ["user", "assistant"].into_iter().filter(|role| !known.neighbours.contains(role)) {
        normal = merge::join_neighbours(normal, role);
    }
    let mut normal = normal.into_iter().map(Json::Object).collect();
    if !known.several_systems {
        merge::join_leading_system(&mut normal);
    }
    if !known.system {
        merge::merge_system(&mut normal);
    }
    Ok(normal)
}

/// Whether a template has this word.
fn mentions(source: &str, name: &str) -> bool {
    let is_letter = |c: char| c.is_alphanumeric() || c == '_';
    source
        .match_indices(name)
        .any(|(at, _)| !source[..at].ends_with(is_letter) && !source[at + name.len()..].starts_with(is_letter))
}

/// A call and its result in OpenAI's older form become those of today.
fn old_names(members: &mut Map<String, Json>) -> Result<(), &'static str> {
    if members.get("role").is_some_and(|role| role == "function") {
        members.insert("role".into(), json!("tool"));
    }
    if let Some(call) = members.shift_remove("function_call") {
        if members.get("tool_calls").is_some_and(|calls| *calls != json!([])) {
            return Err("it has both `tool_calls` and `function_call`");
        }
        members.insert("tool_calls".into(), json!([{"type": "function", "function": call}]));
    }
    Ok(())
}

/// What a model refused with is what it said.
fn refusal(members: &mut Map<String, Json>) -> Result<(), &'static str> {
    let Some(refusal) = members.shift_remove("refusal") else { return Ok(()) };
    let has_content = members.get("content").is_some_and(|content| content != "" && *content != json!([]));
    match refusal {
        Json::String(refusal) if refusal.is_empty() => Ok(()),
        Json::String(_) if has_content => Err("it has both content and a refusal"),
        Json::String(_) => {
            members.insert("content".into(), refusal);
            Ok(())
        }
        _ => Err("its refusal is no text"),
    }
}

fn content(
    members: &mut Map<String, Json>,
    role: &str,
    known: &Capabilities,
    wrong: impl Fn(&'static str) -> TemplateError,
) -> Result<(), TemplateError> {
    let calls = members.get("tool_calls").and_then(Json::as_array).is_some_and(|calls| !calls.is_empty());
    let given = members.get("content").filter(|content| !content.is_null());
    let content = match given {
        None if calls && known.calls_without_content => {
            members.remove("content");
            return Ok(());
        }
        None => parts::content(&json!(""), role, known, wrong)?,
        Some(content) => parts::content(content, role, known, wrong)?,
    };
    members.insert("content".into(), content);
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;

    fn normal(source: &str, messages: Json) -> Result<Json, TemplateError> {
        let template = ChatTemplate::new(source).unwrap();
        normalise(messages.as_array().unwrap(), false, &template, None).map(Json::Array)
    }

    const CHATML: &str = include_str!("builtin/chatml.jinja");
    const GEMMA_REFUSING: &str = "{% if messages[0].role == 'system' %}{{ raise_exception('no') }}{% endif %}\
                                  {% for m in messages %}{{ m.role ~ ':' + m.content }}{% endfor %}";

    fn call(id: &str, arguments: Json) -> Json {
        json!({"id": id, "type": "function", "function": {"name": "f", "arguments": arguments}})
    }

    #[test]
    fn content_is_what_the_template_takes() {
        let parts = json!([{"type": "text", "text": "a"}, {"type": "text", "text": "b"}]);
        let messages =
            json!([{"role": "user", "content": parts}, {"role": "assistant", "content": null}, {"role": "assistant"}]);
        let joined = json!([{"role": "user", "content": "a\nb"}, {"role": "assistant", "content": ""}, {"role": "assistant", "content": ""}]);
        assert_eq!(normal(CHATML, messages.clone()).unwrap(), joined);
        let parts_only = "{% for m in messages %}{% for p in m.content %}{{ p['text'] + '' }}{% endfor %}{% endfor %}";
        let kept = normal(parts_only, messages).unwrap();
        assert_eq!((&kept[0]["content"], &kept[1]["content"]), (&parts, &json!([{"type": "text", "text": ""}])));
    }

    #[test]
    fn images_stay_parts_under_the_name_that_the_template_knows_or_are_an_error() {
        let image = json!([{"role": "user", "content": [{"type": "image_url", "image_url": {"url": "u"}}]}]);
        assert_eq!(normal(CHATML, image.clone()), Err(TemplateError::Part("image_url".into())));
        let knows = "{% for m in messages %}{% if m.content is string %}{{ m.content }}{% else %}{% for p in m.content %}\
                     {{ '<img>' if p.type == 'image' else p.text }}{% endfor %}{% endif %}{% endfor %}";
        let kept = normal(knows, image).unwrap();
        assert_eq!(kept[0]["content"], json!([{"type": "image", "image_url": {"url": "u"}, "image": {"url": "u"}}]));
    }

    #[test]
    fn system_messages_are_merged_only_where_they_are_refused() {
        let messages = json!([
            {"role": "system", "content": "s"}, {"role": "developer", "content": "d"}, {"role": "user", "content": "u"},
        ]);
        let merged = json!([{"role": "user", "content": "s\n\nd\n\nu"}]);
        assert_eq!(normal(GEMMA_REFUSING, messages.clone()).unwrap(), merged);
        let kept = normal(CHATML, messages).unwrap();
        assert_eq!((&kept[0]["role"], &kept[1]["role"]), (&json!("system"), &json!("system")));
        let alone = normal(GEMMA_REFUSING, json!([{"role": "system", "content": "s"}])).unwrap();
        assert_eq!(alone, json!([{"role": "user", "content": "s"}]));
    }

    #[test]
    fn arguments_become_objects_and_results_get_their_calls_names() {
        let messages = json!([
            {"role": "user", "content": "u"},
            {"role": "assistant", "content": null, "tool_calls": [call("1", json!("{\"a\": 1}")), call("2", json!("{\"a\": "))]},
            {"role": "tool", "tool_call_id": "2", "content": "r"},
            {"role": "tool", "content": "q"},
        ]);
        let normal = normal(CHATML, messages).unwrap();
        let calls = &normal[1]["tool_calls"];
        assert_eq!(calls[0]["function"]["arguments"], json!({"a": 1}));
        assert_eq!(calls[1]["function"]["arguments"], json!("{\"a\": "));
        assert_eq!((&normal[2]["name"], &normal[3]["name"]), (&json!("f"), &json!("f")));
        assert_eq!(normal[3]["tool_call_id"], "1");
    }

    #[test]
    fn a_result_without_a_call_is_an_error_that_names_it() {
        let lone = json!([{"role": "user", "content": "u"}, {"role": "tool", "tool_call_id": "x", "content": "r"}]);
        assert_eq!(normal(CHATML, lone), Err(TemplateError::ToolResult { at: 1, id: Some("x".into()), name: None }));
    }

    #[test]
    fn ids_have_the_models_own_form() {
        let messages = json!([
            {"role": "user", "content": "u"},
            {"role": "assistant", "tool_calls": [call("call_0123456789", json!({})), call("abcdef123", json!({}))]},
            {"role": "tool", "tool_call_id": "call_0123456789", "content": "r"},
        ]);
        let normal = normal(include_str!("builtin/mistral-v7.jinja"), messages).unwrap();
        let id = normal[1]["tool_calls"][0]["id"].as_str().unwrap();
        assert!(id.len() == 9 && id.bytes().all(|byte| byte.is_ascii_alphanumeric()), "{id}");
        assert_eq!(normal[1]["tool_calls"][1]["id"], "abcdef123");
        assert_eq!(normal[2]["tool_call_id"], id);
    }

    #[test]
    fn calls_come_one_by_one_where_the_template_knows_one() {
        let one = "{% for m in messages %}{% if m.tool_calls %}{% if m.tool_calls | length > 1 %}{{ raise_exception('one') }}{% endif %}\
                   {{ m.tool_calls[0].function.name }}{{ m.tool_calls[0].function.arguments | tojson }}{% else %}{{ m.content }}{% endif %}{% endfor %}";
        let messages = json!([
            {"role": "user", "content": "u"},
            {"role": "assistant", "content": "c", "tool_calls": [call("1", json!({})), call("2", json!({}))]},
            {"role": "tool", "tool_call_id": "2", "content": "r2"},
            {"role": "tool", "tool_call_id": "1", "content": "r1"},
        ]);
        let normal = normal(one, messages).unwrap();
        let seen: Vec<(&str, &str)> = normal.as_array().unwrap()[1..]
            .iter()
            .map(|message| {
                let id = message["tool_calls"][0]["id"].as_str().or(message["tool_call_id"].as_str());
                (id.unwrap(), message["content"].as_str().unwrap())
            })
            .collect();
        assert_eq!(seen, [("1", "c"), ("1", "r1"), ("2", ""), ("2", "r2")]);
    }

    #[test]
    fn content_that_is_no_text_is_an_error() {
        let of = |content: Json| normal(CHATML, json!([{"role": "user", "content": content}]));
        for content in [
            json!(5),
            json!({"text": "a"}),
            json!(true),
            json!([{"type": "text"}]),
            json!([{"type": "text", "text": 5}]),
        ] {
            assert!(matches!(of(content.clone()), Err(TemplateError::Message { at: 0, .. })), "{content}");
        }
        assert_eq!(of(json!(["a", {"text": "b"}])).unwrap()[0]["content"], "a\nb");
    }

    #[test]
    fn what_the_template_has_no_place_for_is_an_error() {
        let plain = "{% for m in messages %}{{ m.role + m.content }}{% endfor %}";
        let template = ChatTemplate::new(plain).unwrap();
        assert_eq!(normalise(&[], true, &template, None), Err(TemplateError::Unsupported("tools")));
        let calls =
            json!([{"role": "user", "content": "u"}, {"role": "assistant", "tool_calls": [call("1", json!({}))]}]);
        assert_eq!(normal(plain, calls), Err(TemplateError::Unsupported("tool calls")));
        let nameless = json!([{"role": "assistant", "tool_calls": [{"function": {}}]}]);
        assert!(matches!(normal(CHATML, nameless), Err(TemplateError::Message { at: 0, .. })));
        assert!(matches!(normal(CHATML, json!(["x"])), Err(TemplateError::Message { at: 0, .. })));
    }
}
