//! Requests with tools for models of which it is known, or not, how they write calls. Their templates stand in ember's file.

use inglenook::engine::PromptBuilder;
use inglenook::engine::request::Request;
use inglenook::format::gguf::{Gguf, Metadata};
use inglenook::source::Memory;
use serde_json::{Value, json};

use crate::EMBER;

/// Describes tools and prints contents; calls are left to the content.
const LEFT_TO_CONTENT: &str = "{%- if tools %}{{ 'Tools: ' + (tools | tojson) }}{% endif %}\
    {%- for m in messages %}{{ '[' + m.role + ']' + (m.content if m.content is string else '') }}{% endfor %}";

/// Describes tools and writes calls in a form that is nobody's.
const OWN_FORM: &str = "{%- if tools %}{{ 'Tools, called with <call>: ' + (tools | tojson) }}{% endif %}\
    {%- for m in messages %}{{ '[' + m.role + ']' + (m.content or '') }}\
    {%- for c in m.tool_calls or [] %}{{ '<call>' + c.function.name + (c.function.arguments | tojson) }}{% endfor %}{% endfor %}";

/// The prompts of a model with ember's vocabulary and this template.
fn prompts(template: &str) -> PromptBuilder {
    let gguf = pollster::block_on(Gguf::read(&Memory(EMBER))).expect("ember's file");
    let kept = gguf.metadata.iter().filter(|(key, _)| *key != "tokenizer.chat_template");
    let mut entries: Vec<_> = kept.map(|(key, value)| (key.to_owned(), value.clone())).collect();
    entries.push(("tokenizer.chat_template".to_owned(), template.into()));
    PromptBuilder::from_gguf(&Metadata::new(entries).expect("metadata")).expect("prompts")
}

fn tools() -> Value {
    json!([{"type": "function", "function": {"name": "get_weather", "parameters": {"type": "object",
        "properties": {"city": {"type": "string"}}, "required": ["city"]}}}])
}

fn history() -> Value {
    let call = json!({"id": "1", "type": "function",
        "function": {"name": "get_weather", "arguments": "{\"city\": \"Oslo\"}"}});
    json!([{"role": "user", "content": "Weather?"}, {"role": "assistant", "content": null, "tool_calls": [call]},
        {"role": "tool", "tool_call_id": "1", "content": "4"}])
}

/// The prompt of a request; asking for its tokens must give the same error.
fn rendered(template: &str, request: Value) -> Result<String, String> {
    let prompts = prompts(template);
    let request = Request::from_json(&request.to_string()).expect("a request");
    let text = prompts.render(&request).map_err(|error| error.to_string());
    let tokens = prompts.tokens(&request).map_err(|error| error.to_string());
    assert_eq!(text.as_ref().err(), tokens.as_ref().err());
    text
}

#[test]
fn tools_are_refused_where_the_form_of_calls_is_unknown() {
    for choice in ["auto", "required"] {
        let error = rendered(OWN_FORM, json!({"messages": history(), "tools": tools(), "tool_choice": choice}));
        let error = error.expect_err("an unknown form");
        assert!(error.contains("`tool_dialect`") && error.contains("hermes, "), "{error}");
    }
    let mut strict = tools();
    strict[0]["function"]["strict"] = json!(true);
    assert!(rendered(OWN_FORM, json!({"messages": history(), "tools": strict})).is_err());
    let named = json!({"messages": history(), "tools": tools(), "tool_dialect": "hermes"});
    assert!(rendered(OWN_FORM, named).expect("a named form").contains("Tools, called with <call>: "));
    let wrong = json!({"messages": history(), "tools": tools(), "tool_dialect": "morse"});
    assert!(rendered(OWN_FORM, wrong).expect_err("no such form").contains("morse"));
}

#[test]
fn calls_of_a_history_are_rendered_where_no_tools_are_offered() {
    for request in [
        json!({"messages": history()}),
        json!({"messages": history(), "tools": []}),
        json!({"messages": history(), "tools": tools(), "tool_choice": "none"}),
    ] {
        assert!(rendered(OWN_FORM, request.clone()).expect("a prompt").contains("<call>get_weather{"));
        assert!(rendered(LEFT_TO_CONTENT, request).expect("a prompt").contains("[assistant]<tool_call>\n{"));
    }
}

/// Found where the vocabulary proved the format of answers, and not of histories.
#[test]
fn histories_are_written_in_the_tool_call_format_in_which_answers_are_read() {
    let request = json!({"messages": history(), "tools": tools()});
    let text = rendered(LEFT_TO_CONTENT, request.clone()).expect("a prompt");
    let hermes =
        "[assistant]<tool_call>\n{\"name\": \"get_weather\", \"arguments\": {\"city\": \"Oslo\"}}\n</tool_call>[tool]4";
    assert!(text.ends_with(hermes), "{text}");
    let mut named = request;
    named["tool_dialect"] = json!("lfm2");
    let text = rendered(LEFT_TO_CONTENT, named).expect("a prompt");
    assert!(
        text.contains("[assistant]<|tool_call_start|>[get_weather(city=\"Oslo\")]<|tool_call_end|>[tool]4"),
        "{text}"
    );
}

#[test]
fn a_prompt_without_a_template_takes_tools_only_with_their_form() {
    let request = |more: Value| {
        let mut request = json!({"prompt": "The weather:", "tools": tools()});
        more.as_object().expect("an object").iter().for_each(|(key, value)| request[key] = value.clone());
        prompts(OWN_FORM).tokens(&Request::from_json(&request.to_string()).expect("a request"))
    };
    assert!(request(json!({})).is_err());
    assert!(request(json!({"tool_dialect": "hermes"})).is_ok());
    assert!(request(json!({"tool_choice": "none"})).is_ok());
}
