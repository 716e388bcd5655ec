//! Conversations in OpenAI's form, as templates take them: nothing of them is left out without a word.

use inglenook_text::template::ThoughtPlace;
use inglenook_text::{ChatInput, ChatTemplate, ChatTemplates, TemplateError};
use serde_json::{Value, json};

use crate::{NOW, conversation, files, input, template};

/// Templates of the goldens that are no chat templates, but try out the language.
const NO_CHAT: [&str; 2] = ["idioms", "printing"];

/// Every template that can offer tools also takes a history in which they were called: by its own words or, where it leaves calls to
/// the content, in its format's.
#[test]
fn a_history_with_calls_fits_every_template_that_offers_tools() {
    let tool = json!([{"type": "function", "function": {"name": "get_weather", "description": "d",
        "parameters": {"type": "object", "properties": {"city": {"type": "string", "description": "d"}}, "required": ["city"]}}}]);
    let messages = json!([
        {"role": "user", "content": "Is it raining?"},
        {"role": "assistant", "content": null, "tool_calls": [
            {"id": "abcdef123", "type": "function", "function": {"name": "get_weather", "arguments": "{\"city\": \"Oslo\"}"}}]},
        {"role": "tool", "tool_call_id": "abcdef123", "content": "It pours."},
        {"role": "assistant", "content": "It does."},
        {"role": "user", "content": "And now?"},
    ]);
    let (mut written, mut refused) = (Vec::new(), Vec::new());
    for (name, path) in files("goldens/templates", "json") {
        let golden = crate::json(&path);
        let source = template(&name);
        let capabilities = ChatTemplate::new(&source).unwrap().capabilities().clone();
        if !capabilities.tools || NO_CHAT.contains(&name.as_str()) {
            continue;
        }
        match prompt(&source, &golden, &messages, tool.as_array()) {
            Ok(prompt) => {
                let words = ["Is it raining?", "Oslo", "It pours.", "And now?"];
                let missing = words.into_iter().filter(|word| !prompt.contains(word));
                refused.extend(missing.map(|word| format!("{name}: no {word:?}")));
                written.extend((!capabilities.calls).then_some(name));
            }
            Err(error) => refused.push(format!("{name}: {error}")),
        }
    }
    assert_eq!(written, ["lfm2", "phi4-mini", "smollm3"]);
    assert!(refused.is_empty(), "{refused:#?}");
}

/// A system message in the middle is shown, or refused with a word. Found where some templates, which know them only in front, left it
/// out.
#[test]
fn no_system_message_is_left_out_in_silence() {
    let messages = json!([
        {"role": "system", "content": "Speak plainly."},
        {"role": "user", "content": "Is it raining?"},
        {"role": "assistant", "content": "It is."},
        {"role": "system", "content": "From now on, sing."},
        {"role": "user", "content": "And now?"},
    ]);
    let (mut shown, mut dropped, mut silent) = (0, Vec::new(), Vec::new());
    for (name, path) in files("goldens/templates", "json") {
        if NO_CHAT.contains(&name.as_str()) {
            continue;
        }
        match prompt(&template(&name), &crate::json(&path), &messages, None) {
            Ok(prompt) if prompt.contains("From now on, sing.") => shown += 1,
            Ok(_) => silent.push(name),
            Err(TemplateError::DroppedMessage(3)) => dropped.push(name),
            // One wants documents, and says so by failing.
            Err(TemplateError::Raised(_) | TemplateError::Failed { .. }) => {}
            Err(error) => panic!("{name}: {error}"),
        }
    }
    assert!(silent.is_empty(), "{silent:?}");
    let known = ["alpaca-hf", "falcon3", "gpt-oss", "minimax", "orion", "smollm3", "yi"];
    assert_eq!(dropped, known);
    assert!(shown >= 50, "{shown}");
}

/// Texts in parts come into the prompt whole, whoever says them. Found where some templates showed the first part alone of a system
/// message, nothing of an answer, or a result as Python prints lists.
#[test]
fn parts_of_text_are_all_shown() {
    let parts = json!([{"type": "text", "text": "alpha one"}, {"type": "text", "text": "beta two"}]);
    let tools = json!([{"type": "function", "function": {"name": "look", "description": "d",
        "parameters": {"type": "object", "properties": {"at": {"type": "string", "description": "d"}}, "required": ["at"]}}}]);
    let (mut shown, mut wrong) = (0, Vec::new());
    for (name, path) in files("goldens/templates", "json") {
        if NO_CHAT.contains(&name.as_str()) {
            continue;
        }
        let source = template(&name);
        let capabilities = ChatTemplate::new(&source).unwrap().capabilities().clone();
        let takes_results = capabilities.tools && capabilities.results;
        for role in ["system", "user", "assistant", "tool"] {
            let mut messages = json!([
                {"role": "system", "content": "s"},
                {"role": "user", "content": "u"},
                {"role": "assistant", "content": "", "tool_calls": [
                    {"id": "abcdef123", "type": "function", "function": {"name": "look", "arguments": "{\"at\": \"x\"}"}}]},
                {"role": "tool", "tool_call_id": "abcdef123", "content": "t"},
                {"role": "assistant", "content": "a"},
                {"role": "user", "content": "v"},
            ]);
            let list = messages.as_array_mut().unwrap();
            if !takes_results {
                list.drain(2..4);
            }
            // The last of its kind, since the first answer only calls.
            let Some(message) = list.iter_mut().rev().find(|message| message["role"] == role) else { continue };
            message["content"] = parts.clone();
            match prompt(&source, &crate::json(&path), &messages, tools.as_array().filter(|_| takes_results)) {
                Ok(text) => {
                    let printed = ["'type': 'text'", "\"type\": \"text\""].iter().any(|list| text.contains(list));
                    let text = text.to_lowercase();
                    let whole = text.contains("alpha one") && text.contains("beta two");
                    wrong.extend((printed || !whole).then(|| format!("{name}, {role}: {text}")));
                    shown += 1;
                }
                // One wants documents, another tools.
                Err(TemplateError::Failed { message, .. }) if message.contains("'NoneType' object is not iterable") => {
                }
                Err(error) => wrong.push(format!("{name}, {role}: {error}")),
            }
        }
    }
    assert!(wrong.is_empty(), "{}", wrong.join("\n"));
    assert!(shown >= 240, "{shown}");
}

/// A conversation in OpenAI's form becomes what transformers makes of it, unless that leaves something out without a word: then it is
/// shown, or refused.
#[test]
fn histories_become_what_transformers_makes_of_them_where_it_keeps_all() {
    let (mut same, mut more, mut refused, mut wrong) = (0, 0, 0, Vec::new());
    for (name, path) in files("goldens/templates", "json") {
        let golden = crate::json(&path);
        if NO_CHAT.contains(&name.as_str()) {
            continue;
        }
        let templates = of_source(&template(&name));
        for case in golden["cases"].as_array().unwrap() {
            let topic = case["conversation"].as_str().unwrap();
            let conversation = conversation(topic);
            let given = input(&golden, case, &conversation);
            let rendered = templates.render(&ChatInput {
                messages: given.messages,
                tools: given.tools,
                documents: given.documents,
                add_generation_prompt: given.add_generation_prompt,
                continue_final_message: given.continue_final_message,
                template: None,
                extra: given.extra,
                bos_token: given.bos_token,
                eos_token: given.eos_token,
                local_time: given.local_time,
                tool_call_format: None,
            });
            let Some(expected) = case.get("expected").and_then(Value::as_str) else { continue };
            let mut said = Vec::new();
            given.messages.iter().for_each(|message| texts(message, &mut said));
            // A developer's message is a system message to models that were not taught the role; content that is null is no "None".
            let differs = given.messages.iter().any(|message| message["role"] == "developer")
                || expected.contains("None")
                || said.iter().any(|text| !expected.contains(text.trim()));
            match rendered {
                Ok(prompt) if prompt.text == expected => same += 1,
                Ok(prompt) if differs || has_all_of(&prompt.text, expected) => more += 1,
                Ok(prompt) => wrong.push(format!("{name}, {topic}:\n{}\nnot\n{expected}", prompt.text)),
                Err(TemplateError::Unsupported(_) | TemplateError::Part(_) | TemplateError::DroppedMessage(_)) => {
                    refused += 1
                }
                Err(error) => wrong.push(format!("{name}, {topic}: {error}")),
            }
        }
    }
    assert!(wrong.is_empty(), "{} wrong:\n{}", wrong.len(), wrong.join("\n\n"));
    assert!(same >= 1100 && more >= 80 && refused >= 200, "{same} the same, {more} with more, {refused} refused");
}

/// Whether a text is another with something put in.
fn has_all_of(text: &str, other: &str) -> bool {
    let mut letters = text.chars();
    other.chars().all(|letter| letters.any(|found| found == letter))
}

/// What a message says: its texts, its calls' names and arguments.
fn texts(message: &Value, said: &mut Vec<String>) {
    match message {
        Value::String(text) => said.push(text.clone()),
        Value::Array(items) => items.iter().for_each(|item| texts(item, said)),
        Value::Object(members) => {
            let shown = ["content", "text", "tool_calls", "function", "name", "arguments"];
            members.iter().filter(|(key, _)| shown.contains(&key.as_str())).for_each(|(_, member)| texts(member, said));
        }
        _ => {}
    }
}

/// The prompt that a template makes of a conversation, with the special tokens of its golden.
fn prompt(source: &str, golden: &Value, messages: &Value, tools: Option<&Vec<Value>>) -> Result<String, TemplateError> {
    let text = |key: &str| golden.get(key).and_then(Value::as_str).unwrap_or("");
    let templates = of_source(source);
    let rendered = templates.render(&ChatInput {
        messages: messages.as_array().unwrap(),
        tools: tools.map(Vec::as_slice),
        add_generation_prompt: true,
        bos_token: text("bos"),
        eos_token: text("eos"),
        local_time: Some(NOW),
        tool_call_format: None,
        ..ChatInput::default()
    });
    rendered.map(|prompt| prompt.text)
}

/// The templates of a model that has one.
fn of_source(source: &str) -> ChatTemplates {
    ChatTemplates::from_hugging_face(&json!({"chat_template": source}), None)
}

/// Histories as clients send them and the prompts that templates of each kind make of them: `tests/histories/NAME.json` has the lines of a
/// `template`, `messages`, and the prompt that is `expected` or the error by which they are `refused`.
#[test]
fn histories_reach_the_places_that_templates_have_for_them() {
    let mut wrong = Vec::new();
    let cases = files("histories", "json");
    assert!(cases.len() >= 30, "{} histories", cases.len());
    for (name, path) in cases {
        let case = crate::json(&path);
        let lines: Vec<&str> = case["template"].as_array().unwrap().iter().map(|line| line.as_str().unwrap()).collect();
        let found = prompt(&lines.join("\n"), &json!({}), &case["messages"], None);
        let agrees = match (&found, case["expected"].as_str(), case["refused"].as_str()) {
            (Ok(found), Some(expected), None) => found == expected,
            (Err(error), None, Some(refused)) => error.to_string() == refused,
            _ => false,
        };
        if !agrees {
            wrong.push(format!("{name}: {found:?}\nnot {}{}", case["expected"], case["refused"]));
        }
    }
    assert!(wrong.is_empty(), "{}", wrong.join("\n\n"));
}

/// Which real templates take only one system message, or insist that roles alternate, and which have a place for thoughts.
#[test]
fn places_of_real_templates_are_found() {
    let (mut one_system, mut alternating, mut parts, mut shown) = (Vec::new(), Vec::new(), Vec::new(), Vec::new());
    for (name, _) in files("goldens/templates", "json") {
        if NO_CHAT.contains(&name.as_str()) {
            continue;
        }
        let template = ChatTemplate::new(&template(&name)).unwrap();
        let known = template.capabilities();
        if known.system && !known.several_systems {
            one_system.push(name.clone());
        }
        if known.neighbours.is_empty() {
            alternating.push(name.clone());
        }
        match known.thoughts {
            Some(ThoughtPlace::Part { .. }) => parts.push(name),
            Some(ThoughtPlace::Member(_)) => shown.push(name),
            None => {}
        }
    }
    let one = "alpaca-hf command-r-default falcon3 gemma gemma3 gpt-oss llama2-chat llama2 minimax mistral-small3 mistral-v1 \
               mistral-v3-instruct mistral-v3-tekken-instruct mistral-v3-tekken mistral-v3 mixtral smollm3 vicuna-hf yi";
    assert_eq!(one_system.join(" "), one);
    let insisting = "command-r-default gemma gemma1 gemma3 llama2-chat llama2 mistral-small3 mistral-v1-instruct mistral-v1 \
                     mistral-v3-instruct mistral-v3-tekken-instruct mistral-v3-tekken mistral-v3 \
                     mistral-v7-tekken mistral-v7 mixtral vicuna-hf";
    assert_eq!(alternating.join(" "), insisting);
    assert!(parts.is_empty(), "{parts:?}");
    assert_eq!(shown.join(" "), "command-a glm45 gpt-oss harmony minimax qwen3-thinking qwen3");
}

/// Several system messages in front, and several of a user's and of the assistant's in a row, are all shown by every real template. Found
/// where a third of them refused such conversations, which several clients send.
#[test]
fn messages_in_a_row_are_all_shown() {
    let words = ["alpha", "beta", "gamma", "delta", "epsilon", "zeta", "eta"];
    let roles = ["system", "developer", "user", "user", "assistant", "assistant", "user"];
    let messages: Value = words.iter().zip(roles).map(|(word, role)| json!({"role": role, "content": word})).collect();
    let (mut shown, mut wrong) = (0, Vec::new());
    for (name, path) in files("goldens/templates", "json") {
        if NO_CHAT.contains(&name.as_str()) {
            continue;
        }
        match prompt(&template(&name), &crate::json(&path), &messages, None) {
            Ok(prompt) if words.iter().all(|word| prompt.to_lowercase().contains(word)) => shown += 1,
            // One wants documents, another tools.
            Err(TemplateError::Failed { message, .. }) if message.contains("'NoneType' object is not iterable") => {}
            found => wrong.push(format!("{name}: {found:?}")),
        }
    }
    assert!(wrong.is_empty(), "{}", wrong.join("\n"));
    assert!(shown >= 75, "{shown}");
}
