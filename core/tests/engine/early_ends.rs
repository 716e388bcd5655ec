//! Turns that end before what was asked for has begun: within a thought, before a form, before a call. ember was not taught to think, so
//! templates open its thoughts, and a bias ends its turn there.

use inglenook::device::Device;
use inglenook::engine::event::FinishReason;
use inglenook::engine::request::Request;
use inglenook::engine::{Engine, EngineOptions};
use inglenook::source::Memory;
use pollster::block_on;
use serde_json::{Value, json};

use crate::support::{EMBER, Said, read};

/// A conversation, a list of tools, and `opening` where the answer begins.
fn template(opening: &str) -> String {
    let calls = "<tool_call>\\n{\"name\": <function-name>, \"arguments\": <args-json-object>}\\n</tool_call>";
    format!(
        "{{%- if tools %}}{{{{ '<|im_start|>system\\n<tools>' + (tools|tojson) + '</tools> {calls}<|im_end|>\\n' }}}}{{% endif %}}\
         {{%- for m in messages %}}{{{{ '<|im_start|>' + m.role + '\\n' + m.content + '<|im_end|>\\n' }}}}{{% endfor %}}\
         {{%- if add_generation_prompt %}}{{{{ '<|im_start|>assistant\\n{opening}' }}}}{{% endif %}}{{# </think> #}}"
    )
}

/// ember with another template, padded to the length of its own.
fn load(opening: &str) -> Engine {
    let key = b"tokenizer.chat_template";
    let at = EMBER.windows(key.len()).position(|window| window == key).expect("a template") + key.len() + 4;
    let length = u64::from_le_bytes(EMBER[at..at + 8].try_into().expect("8 bytes")) as usize;
    let template = template(opening);
    let mut file = EMBER.to_vec();
    file[at + 8..][..length]
        .copy_from_slice(format!("{template}{{#{:1$}#}}", "", length - template.len() - 4).as_bytes());
    block_on(Engine::load(Device::Cpu, &Memory(&file), &EngineOptions::default(), &mut |_| true)).expect("ember loads")
}

/// A bias for the end of a turn.
fn ends(engine: &Engine, bias: i32) -> Value {
    engine
        .tokenizer()
        .stop_ids()
        .iter()
        .map(|id| (id.to_string(), json!(bias)))
        .collect::<serde_json::Map<_, _>>()
        .into()
}

fn answer(engine: &Engine, request: &Value) -> Said {
    let mut request = request.clone();
    if request.get("messages").is_none() {
        request["messages"] = json!([{"role": "user", "content": "What is the time in Oslo?"}]);
    }
    let request = Request::from_json(&request.to_string()).expect("a request");
    block_on(read(&mut engine.submit(request).expect("good")))
}

fn form() -> Value {
    let schema = json!({"type": "object", "properties": {"answer": {"type": "string", "maxLength": 20}},
        "required": ["answer"], "additionalProperties": false});
    json!({"type": "json_schema", "json_schema": {"name": "answer", "schema": schema}})
}

fn tools(strict: bool) -> Value {
    let parameters = json!({"type": "object", "properties": {"city": {"type": "string", "maxLength": 10}},
        "required": ["city"], "additionalProperties": false});
    json!([{"type": "function", "function": {"name": "get_time", "strict": strict, "parameters": parameters}}])
}

fn is_answer(text: &str) -> bool {
    serde_json::from_str::<Value>(text).is_ok_and(|value| value["answer"].is_string())
}

#[test]
fn form_follows_when_the_turn_ends_within_the_thought() {
    for (opening, format) in [("<think>\\n", "think"), ("<reasoning>\\n", "reasoning"), ("[THINK]", "mistral")] {
        let engine = load(opening);
        for temperature in [0.0, 1.5] {
            let request = json!({"reasoning_format": format, "seed": 1, "response_format": form(),
                "logit_bias": ends(&engine, 100), "temperature": temperature, "max_tokens": 100});
            let answer = answer(&engine, &request);
            assert!(is_answer(&answer.text), "{format}: {answer:?}");
            assert_eq!((answer.thought.as_str(), answer.reason), ("", FinishReason::Stop), "{format}: {answer:?}");
        }
    }
}

#[test]
fn form_follows_when_the_model_thinks_and_then_ends_its_turn() {
    let engine = load("<think>\\n");
    let mut thoughts = 0;
    for seed in 0..12 {
        let request = json!({"response_format": form(), "logit_bias": ends(&engine, 7), "seed": seed, "temperature": 1.5,
            "max_tokens": 300});
        let answer = answer(&engine, &request);
        match answer.reason {
            FinishReason::Stop => assert!(is_answer(&answer.text), "{answer:?}"),
            FinishReason::Length => assert!(answer.text.is_empty() || is_answer(&answer.text), "{answer:?}"),
            _ => panic!("{answer:?}"),
        }
        thoughts += usize::from(!answer.thought.is_empty() && !answer.text.is_empty());
    }
    assert!(thoughts > 2, "some turns end within a thought that has begun: {thoughts}");
}

#[test]
fn forced_call_follows_when_the_turn_ends_within_the_thought() {
    let engine = load("<think>\\n");
    let named = json!({"type": "function", "function": {"name": "get_time"}});
    for choice in [json!("required"), named] {
        let request = json!({"tools": tools(false), "tool_choice": choice, "parallel_tool_calls": false,
            "logit_bias": ends(&engine, 100), "temperature": 0, "max_tokens": 100});
        let answer = answer(&engine, &request);
        let [(name, arguments)] = &answer.calls[..] else { panic!("{answer:?}") };
        let arguments: Value = serde_json::from_str(arguments).expect("JSON");
        assert!(name == "get_time" && arguments["city"].is_string(), "{answer:?}");
        assert_eq!((answer.text.as_str(), answer.reason), ("", FinishReason::ToolCalls), "{answer:?}");
    }
}

/// gpt-oss marks its thoughts by channels, and the answer by another.
#[test]
fn form_follows_in_its_channel_when_the_turn_ends_before() {
    for opening in ["<|channel|>analysis<|message|>", ""] {
        let engine = load(opening);
        let request = json!({"reasoning_format": "harmony", "response_format": form(), "logit_bias": ends(&engine, 100),
            "temperature": 0, "max_tokens": 100});
        let answer = answer(&engine, &request);
        assert!(is_answer(&answer.text), "{opening}: {answer:?}");
        assert_eq!(answer.reason, FinishReason::Stop, "{opening}: {answer:?}");
    }
}

#[test]
fn text_in_front_of_a_form_is_written_when_the_turn_ends_before_it() {
    let mut format = form();
    format["trigger"] = json!("Therefore: ");
    for opening in ["", "<think>\\n"] {
        let engine = load(opening);
        let request =
            json!({"response_format": format, "logit_bias": ends(&engine, 100), "temperature": 0, "max_tokens": 100});
        let answer = answer(&engine, &request);
        let form = answer.text.strip_prefix("Therefore: ").unwrap_or_else(|| panic!("{opening}: {answer:?}"));
        assert!(is_answer(form) && answer.reason == FinishReason::Stop, "{opening}: {answer:?}");
    }
}

/// A caller who knows how the model closes its thoughts may name that.
#[test]
fn end_of_a_thought_may_be_the_text_in_front_of_a_form() {
    let engine = load("<think>\\n");
    let mut format = form();
    for trigger in ["</think>", "</think>\n\n"] {
        format["trigger"] = json!(trigger);
        let request =
            json!({"response_format": format, "logit_bias": ends(&engine, 100), "temperature": 0, "max_tokens": 100});
        let answer = answer(&engine, &request);
        assert!(is_answer(&answer.text) && answer.reason == FinishReason::Stop, "{trigger:?}: {answer:?}");
    }
}

#[test]
fn answer_is_empty_and_cut_when_the_tokens_run_out_within_the_thought() {
    let engine = load("<think>\\n");
    for more in [json!({"response_format": form()}), json!({"tools": tools(false), "tool_choice": "required"})] {
        let mut request = more;
        (request["temperature"], request["max_tokens"]) = (json!(0), json!(12));
        request["logit_bias"] = ends(&engine, -100);
        let answer = answer(&engine, &request);
        assert_eq!((answer.text.as_str(), answer.calls.len()), ("", 0), "{answer:?}");
        assert!(!answer.thought.is_empty() && answer.reason == FinishReason::Length, "{answer:?}");
        assert_eq!(answer.usage.completion_tokens, 12);
    }
}

#[test]
fn form_and_call_follow_when_thoughts_are_bounded() {
    for (opening, format) in [("<think>\\n", "think"), ("<|channel|>analysis<|message|>", "harmony")] {
        let engine = load(opening);
        for reasoning in [json!({"budget_tokens": 0}), json!({"budget_tokens": 3}), json!({"enabled": false})] {
            let mut request = json!({"reasoning_format": format, "reasoning": reasoning, "response_format": form(),
                "temperature": 0, "max_tokens": 100});
            let formed = answer(&engine, &request);
            assert!(is_answer(&formed.text) && formed.reason == FinishReason::Stop, "{opening}: {formed:?}");
            if format == "harmony" {
                continue;
            }
            request["response_format"] = Value::Null;
            request["tools"] = tools(false);
            (request["tool_choice"], request["parallel_tool_calls"]) = (json!("required"), json!(false));
            let called = answer(&engine, &request);
            assert!(called.calls.len() == 1 && called.reason == FinishReason::ToolCalls, "{called:?}");
        }
    }
}
