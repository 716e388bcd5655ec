//! Thoughts: apart from the answer, and no longer than they may be. ember was not taught to think, so the conversation does it for it.

use inglenook::engine::event::{Event, FinishReason};
use inglenook::engine::request::Request;
use inglenook::engine::{Engine, EngineOptions};
use inglenook::source::Memory;
use pollster::block_on;
use serde_json::{Value, json};

use crate::{EMBER, gpu};

fn load() -> Engine {
    block_on(Engine::load(gpu(), &Memory(EMBER), &EngineOptions::default(), &mut |_| true)).expect("ember loads")
}

/// A request whose prompt ends inside a thought, and whose answer goes on until something else ends it than ember.
fn thinking(engine: &Engine, more: Value) -> Request {
    let ends: serde_json::Map<String, Value> =
        engine.tokenizer().stop_ids().iter().map(|id| (id.to_string(), json!(-100))).collect();
    let mut request = json!({
        "messages": [{"role": "user", "content": "Tell me a story about a fox."}, {"role": "assistant", "content": "<think>"}],
        "continue_final_message": true, "reasoning_format": "think", "temperature": 0, "max_tokens": 60,
        "logit_bias": ends,
    });
    more.as_object().expect("an object").iter().for_each(|(key, value)| request[key] = value.clone());
    Request::from_json(&request.to_string()).expect("a request")
}

#[derive(Debug, Default)]
struct Answer {
    thought: String,
    text: String,
    finish: Option<FinishReason>,
    tokens: Vec<u32>,
}

fn answer(engine: &mut Engine, request: Request) -> Answer {
    let mut generation = engine.submit(request).expect("a good request");
    let mut answer = Answer::default();
    while let Some(event) = block_on(generation.next()).expect("generates") {
        match event {
            Event::Text { text } => answer.text += &text,
            Event::Reasoning { text } => answer.thought += &text,
            Event::Done { reason, .. } => answer.finish = Some(reason),
            other => panic!("{other:?} after {answer:?}"),
        }
    }
    answer.tokens = generation.tokens(0);
    answer
}

#[test]
fn a_thought_without_a_budget_goes_on_and_is_no_answer() {
    let mut engine = load();
    let request = thinking(&engine, json!({}));
    let free = answer(&mut engine, request);
    assert!(free.thought.len() > 40, "{free:?}");
    assert_eq!(free.text, "");
}

#[test]
fn a_thought_ends_with_its_budget_and_the_answer_begins() {
    let mut engine = load();
    let request = thinking(&engine, json!({}));
    let free = answer(&mut engine, request);
    for budget in [0, 1, 7] {
        let request = thinking(&engine, json!({"reasoning": {"budget_tokens": budget}}));
        let held = answer(&mut engine, request);
        assert_eq!(held.tokens[..budget], free.tokens[..budget], "the thought is the model's own");
        let closing = engine.tokenizer().encode("\n</think>\n\n", inglenook::text::Special::Parse, false);
        assert_eq!(held.tokens[budget..][..closing.len()], closing);
        assert!(free.thought.starts_with(held.thought.trim_end()), "{held:?} of {free:?}");
        assert!(!held.text.trim().is_empty() && !held.text.contains("think>"), "{held:?}");
    }
}

#[test]
fn a_model_that_is_not_to_think_does_not() {
    let mut engine = load();
    let request = thinking(&engine, json!({"reasoning": {"enabled": false}}));
    let held = answer(&mut engine, request);
    assert_eq!(held.thought, "");
    assert!(!held.text.trim().is_empty());
}

#[test]
fn a_form_comes_behind_the_thought() {
    let format = json!({"type": "regex", "regex": "[0-9]{4}"});
    let more = json!({"reasoning": {"budget_tokens": 5}, "response_format": format});
    let mut engine = load();
    let request = thinking(&engine, more);
    let held = answer(&mut engine, request);
    assert!(!held.thought.is_empty(), "{held:?}");
    assert!(held.text.len() == 4 && held.text.bytes().all(|byte| byte.is_ascii_digit()), "{held:?}");
    assert_eq!(held.finish, Some(FinishReason::Stop));
}
