//! Answers to a script in place of a model's choices: what follows a token is decided on the CPU alone, so that every way that an answer
//! may go can be taken. The vocabulary is ember's, in which two tokens are renamed to those that mark a thought.

use serde_json::{Value, json};

use super::event::{Event, FinishReason};
use super::request::Request;
use super::sequence::Sequence;
use super::token_policy::{Advance, NextAction, TokenPolicy};
use super::{Engine, EngineOptions};
use crate::device::Device;
use inglenook_format::gguf::Gguf;
use inglenook_format::source::Memory;
use inglenook_text::{Special, Tokenizer};

const EMBER: &[u8] = include_bytes!("../../../models/ember/ember-q8_0.gguf");

/// Ember's tokenizer.
pub(super) fn tokenizer() -> Tokenizer {
    let gguf = pollster::block_on(Gguf::read(&Memory(EMBER))).expect("ember reads");
    Tokenizer::from_gguf(&gguf.metadata).expect("ember has a tokenizer")
}

/// A template that shows Hermes' calls and thoughts, and ends a prompt with `opening`.
fn load(opening: &str) -> Engine {
    let mut file = EMBER.to_vec();
    for (old, new) in [("<tools>", "<think>"), ("</tools>", "</think>")] {
        let at = place(&file, &[&(old.len() as u64).to_le_bytes()[..], old.as_bytes()].concat());
        file[at - old.len()..at].copy_from_slice(new.as_bytes());
    }
    let at = place(&file, b"tokenizer.chat_template") + 4;
    let length = u64::from_le_bytes(file[at..at + 8].try_into().expect("8 bytes")) as usize;
    let template = format!(
        "{{% for m in messages %}}{{{{ m.content }}}}{{% endfor %}}{{% if tools %}}{{{{ tools|tojson }}}}<tool_call>\n{{\"name\": {{% endif %}}\
         {{# </think> #}}{{{{ '<|im_start|>assistant\\n{opening}' }}}}"
    );
    file[at + 8..][..length].copy_from_slice(format!("{template:length$}").as_bytes());
    let source = Memory(&file);
    pollster::block_on(Engine::load(Device::Cpu, &source, &EngineOptions::default(), &mut |_| true))
        .expect("ember loads")
}

/// Where bytes end in a file.
fn place(file: &[u8], bytes: &[u8]) -> usize {
    file.windows(bytes.len()).position(|window| window == bytes).expect("there") + bytes.len()
}

#[derive(Debug, Default)]
struct Said {
    text: String,
    thought: String,
    calls: Vec<(String, String)>,
    finish: Option<FinishReason>,
    /// All tokens that stand, as text.
    raw: String,
}

/// What comes of the tokens of `script`, and then of the end of the turn, if the answer goes on so long.
fn play(engine: &mut Engine, request: &Value, script: &str) -> Said {
    let mut request = request.clone();
    request["messages"] = json!([{"role": "user", "content": "Hello"}]);
    let request = Request::from_json(&request.to_string()).expect("a request");
    let mut sequence = engine.sequences(&request).expect("a good request").remove(0);
    let mut script = engine.tokenizer().encode(script, Special::Parse, false);
    script.extend([sequence.stop_ids[0]; 3]);
    script.reverse();
    let mut then = advance(&mut sequence, None);
    while !matches!(then, NextAction::End(_)) {
        let scripted = *script.last().expect("the answer ends with its script");
        let token = match first_allowed(&mut sequence, scripted) {
            Some(other) => other,
            None => script.pop().expect("there"),
        };
        then = advance(&mut sequence, Some(token));
    }
    let NextAction::End(finish) = then else { panic!("{then:?}") };
    sequence.finish(finish);
    said(engine, &mut sequence)
}

fn policy(sequence: &mut Sequence) -> &mut TokenPolicy {
    sequence.policy.as_mut().expect("nobody else has it")
}

/// What comes of a token, or of the beginning.
fn advance(sequence: &mut Sequence, token: Option<u32>) -> NextAction {
    let mut advances: Vec<Advance> = Vec::new();
    let policy = policy(sequence);
    let decided = pollster::block_on(async {
        match token {
            None => policy.begin(&mut advances).await,
            Some(token) => policy.take_all(&[token], &mut advances).await,
        }
    });
    decided.expect("goes on");
    let mut advance = advances.pop().expect("there is one");
    sequence.extend(&mut advance);
    advance.next
}

/// What a mask leaves to a model that would choose `token`, unless it may have that.
fn first_allowed(sequence: &mut Sequence, token: u32) -> Option<u32> {
    let is_masked = sequence.is_masked();
    let constraint = policy(sequence).constraint.as_mut().filter(|_| is_masked)?;
    let mut allows = |token| pollster::block_on(constraint.allows(token)).expect("a mask");
    match allows(token) {
        true => None,
        false => (0..).find(|other| allows(*other)),
    }
}

fn said(engine: &Engine, sequence: &mut Sequence) -> Said {
    let mut said =
        Said { raw: inglenook_text::vocabulary::spell(engine.tokenizer(), &sequence.generated), ..Said::default() };
    for event in sequence.events.drain(..) {
        match event {
            Event::Text { text } => said.text += &text,
            Event::Reasoning { text } => said.thought += &text,
            Event::ToolCall { name, .. } => said.calls.push((name, String::new())),
            Event::ToolArguments { text, .. } => said.calls.last_mut().expect("a call").1 += &text,
            Event::MalformedCall { index, text } => {
                index.and_then(|_| said.calls.pop());
                said.text += &text;
            }
            Event::Logprobs { .. } | Event::PromptLogprobs { .. } | Event::Truncated { .. } => {}
            Event::Done { reason, .. } => said.finish = Some(reason),
        }
    }
    said
}

fn tools(strict: bool) -> Value {
    let parameters = json!({"type": "object", "properties": {"city": {"enum": ["Oslo", "Rome"]}}, "required": ["city"],
        "additionalProperties": false});
    json!([{"type": "function", "function": {"name": "look", "strict": strict, "parameters": parameters}}])
}

const PARIS: &str = "<tool_call>\n{\"name\": \"look\", \"arguments\": {\"city\": \"Paris\"}}\n</tool_call>";

fn form() -> Value {
    json!({"type": "regex", "regex": "[0-9]{3}"})
}

#[test]
fn call_that_ends_an_open_thought_is_a_call() {
    let mut engine = load("<think>\\n");
    let said = play(&mut engine, &json!({"tools": tools(false)}), &format!("I look.\n{PARIS}"));
    assert_eq!(said.calls, [("look".to_owned(), "{\"city\": \"Paris\"}".to_owned())], "{said:?}");
    assert_eq!((said.thought.as_str(), said.finish), ("I look.", Some(FinishReason::ToolCalls)), "{said:?}");
    let said = play(&mut engine, &json!({"tools": tools(false)}), &format!("I look.\n{PARIS} Or not."));
    assert_eq!((said.calls.len(), said.finish), (0, Some(FinishReason::Stop)), "{said:?}");
    assert!(said.thought.ends_with("</tool_call> Or not."), "{said:?}");
}

#[test]
fn call_in_an_open_thought_is_part_of_it_when_the_answer_is_cut() {
    let mut engine = load("<think>\\n");
    let length = engine.tokenizer().encode(PARIS, Special::Parse, false).len();
    let said = play(&mut engine, &json!({"tools": tools(false), "max_tokens": length}), PARIS);
    assert_eq!((said.thought.as_str(), said.finish), (PARIS, Some(FinishReason::Length)), "{said:?}");
    assert_eq!(said.calls, [], "more may be thought behind it");
}

/// What is written in a thought is not held to the tool's schema, and so calls nothing; behind the thought it is.
#[test]
fn strict_grammar_holds_only_behind_the_thought() {
    let mut engine = load("<think>\\n");
    let request = json!({"tools": tools(true)});
    let said = play(&mut engine, &request, PARIS);
    assert!(said.calls.is_empty() && said.thought == PARIS, "{said:?}");
    assert!(
        said.raw.ends_with("</think>\n\n<|im_end|>") || said.raw.ends_with("</think>\n\n<|endoftext|>"),
        "{said:?}"
    );

    // Behind the thought the grammar writes what leaves no choice, which is all but the first letter of the city.
    let said = play(&mut engine, &request, &format!("{PARIS}\n</think>\n\n<tool_call>R"));
    assert_eq!(said.calls, [("look".to_owned(), "{\"city\":\"Rome\"}".to_owned())], "{said:?}");
    assert_eq!((said.thought.as_str(), said.finish), (PARIS, Some(FinishReason::ToolCalls)), "{said:?}");
}

#[test]
fn model_may_open_a_thought_before_a_form() {
    let mut engine = load("");
    let request = json!({"response_format": form()});
    let thought = play(&mut engine, &request, "<think>Hm.</think>123");
    assert_eq!((thought.thought.as_str(), thought.text.as_str()), ("Hm.", "123"), "{thought:?}");
    let broken_off = play(&mut engine, &request, "<think>Hm.<|im_end|>456");
    assert_eq!((broken_off.thought.as_str(), broken_off.text.as_str()), ("Hm.", "456"), "{broken_off:?}");
    let at_once = play(&mut engine, &request, "789");
    assert_eq!((at_once.thought.as_str(), at_once.text.as_str()), ("", "789"), "{at_once:?}");
    for said in [thought, broken_off, at_once] {
        assert_eq!(said.finish, Some(FinishReason::Stop), "{said:?}");
    }
}

#[test]
fn model_that_is_not_to_think_may_open_no_thought_before_a_form() {
    for (opening, reasoning) in
        [("", json!({"enabled": false})), ("", json!({"budget_tokens": 0})), ("<think>\\n\\n</think>\\n\\n", json!({}))]
    {
        let engine = load(opening);
        let think = engine.tokenizer().encode("<think>", Special::Parse, false)[0];
        let request = json!({"messages": [{"role": "user", "content": "Hello"}], "response_format": form(), "reasoning": reasoning});
        let request = Request::from_json(&request.to_string()).expect("a request");
        let mut sequence = engine.sequences(&request).expect("a good request").remove(0);
        advance(&mut sequence, None);
        let constraint = policy(&mut sequence).constraint.as_mut().expect("a form");
        assert!(!pollster::block_on(constraint.allows(think)).expect("a mask"), "{opening} {reasoning}");
    }
}

/// The closing tag may end within a token: what the token says behind it is not in the form.
#[test]
fn form_begins_within_the_token_that_closes_the_thought() {
    let mut engine = load("<reasoning>\\n");
    let request = json!({"response_format": form(), "reasoning_format": "reasoning"});
    let script = "So.</reasoning>,987";
    let tokens = engine.tokenizer().encode(script, Special::Parse, false);
    assert!(tokens.iter().any(|token| engine.tokenizer().token_bytes(*token) == b">,"), "ember has such a token");
    let said = play(&mut engine, &request, script);
    assert_eq!((said.thought.as_str(), said.text.as_str()), ("So.", "987"), "{said:?}");
    assert!(said.raw.starts_with("So.</reasoning>987"), "{said:?}");
}

/// A trigger in a thought is no trigger.
#[test]
fn text_in_front_of_a_form_counts_only_outside_thoughts() {
    let mut engine = load("<think>\\n");
    let mut form = form();
    form["trigger"] = json!("So: ");
    let said = play(&mut engine, &json!({"response_format": form}), "So: four.</think>Well. So: 123");
    assert_eq!((said.thought.as_str(), said.text.as_str()), ("So: four.", "Well. So: 123"), "{said:?}");
}

#[test]
fn form_that_could_go_on_is_cut_and_not_whole() {
    let mut engine = load("");
    let format = json!({"type": "regex", "regex": "[0-9]{1,60}"});
    for (max_tokens, finish) in [(3, FinishReason::Length), (30, FinishReason::Stop)] {
        let said = play(&mut engine, &json!({"response_format": format, "max_tokens": max_tokens}), "1234567");
        assert_eq!(said.finish, Some(finish), "{said:?}");
    }
    let format = json!({"type": "regex", "regex": "[0-9]{3}"});
    let said = play(&mut engine, &json!({"response_format": format, "max_tokens": 3}), "123");
    assert_eq!((said.text.as_str(), said.finish), ("123", Some(FinishReason::Stop)), "nothing may follow");
}

#[test]
fn form_that_is_led_to_its_end_is_cut() {
    let mut engine = load("");
    let schema = json!({"type": "object", "properties": {"a": {"type": "string"}}, "required": ["a"], "additionalProperties": false});
    let request =
        json!({"response_format": {"type": "json_schema", "json_schema": {"schema": schema}}, "max_tokens": 16});
    let said =
        play(&mut engine, &request, "The weather in Oslo is fine and will stay so for all the days of the week.");
    assert!(serde_json::from_str::<Value>(&said.text).is_ok(), "{said:?}");
    assert_eq!(said.finish, Some(FinishReason::Length), "{said:?}");
}

#[test]
fn forced_call_that_is_cut_is_malformed() {
    let mut engine = load("");
    let mut tools = tools(false);
    tools[0]["function"]["parameters"]["properties"]["city"] = json!({"type": "string"});
    for max_tokens in 1..40 {
        let request =
            json!({"tools": tools, "tool_choice": "required", "max_tokens": max_tokens, "parallel_tool_calls": false});
        let said = play(&mut engine, &request, "Oslo and Rome\"}}\n");
        match said.finish {
            Some(FinishReason::ToolCalls) => assert_eq!(said.calls[0].1, "{\"city\":\"Oslo and Rome\"}", "{said:?}"),
            Some(FinishReason::Length) => assert!(said.calls.is_empty(), "{said:?}"),
            _ => panic!("{said:?}"),
        }
    }
}
