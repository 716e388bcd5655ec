//! Answers of ember that are held to a form: schemas, regular expressions, grammars, choices, natively on both devices.

mod corpus;
#[path = "../../../grammar/tests/outputs/support/readers/mod.rs"]
mod readers;
#[path = "../support/mod.rs"]
mod support;

use inglenook::device::Device;
use inglenook::engine::event::{Event, FinishReason};
use inglenook::engine::request::Request;
use inglenook::engine::{Engine, EngineOptions};
use inglenook::source::Memory;
use pollster::block_on;
use serde_json::{Value, json};

use support::{EMBER, gpu, gpu_as_hardware};

fn load(device: Device) -> Engine {
    block_on(Engine::load(device, &Memory(EMBER), &EngineOptions::default(), &mut |_| true)).expect("ember loads")
}

fn request(question: &str, more: Value) -> Request {
    let mut request =
        json!({"messages": [{"role": "user", "content": question}], "temperature": 1.5, "max_tokens": 600});
    for (key, value) in more.as_object().expect("an object") {
        request[key] = value.clone();
    }
    Request::from_json(&request.to_string()).expect("a request")
}

/// The text and tokens of an answer, and why it ended.
fn answer(engine: &mut Engine, request: Request) -> (String, Vec<u32>, FinishReason) {
    let mut generation = engine.submit(request).expect("a good request");
    let mut text = String::new();
    loop {
        match block_on(generation.next()).expect("generates").expect("an end") {
            Event::Text { text: piece } => text += &piece,
            Event::Done { reason, .. } => return (text, generation.tokens(0), reason),
            other => panic!("{other:?} in a plain answer"),
        }
    }
}

#[test]
fn a_choice_is_one_of_its_texts_and_the_same_on_both_devices() {
    let mut on_gpus = [load(gpu()), load(gpu_as_hardware())];
    let mut on_cpu = load(Device::Cpu);
    let choices = ["red", "green", "blue", "a long way off"];
    let mut seen = std::collections::BTreeSet::new();
    for seed in 0..20 {
        let format = json!({"type": "choice", "choices": choices});
        let more = json!({"response_format": format, "seed": seed});
        let (text, tokens, finish) = answer(&mut on_gpus[seed % 2], request("Which colour?", more.clone()));
        assert!(choices.contains(&text.as_str()), "{text:?}");
        assert_eq!(finish, FinishReason::Stop);
        assert_eq!(answer(&mut on_cpu, request("Which colour?", more)).1, tokens);
        seen.insert(text);
    }
    assert!(seen.len() >= 2, "the temperature shows: {seen:?}");
}

#[test]
fn a_schema_is_kept() {
    let mut engines = [load(gpu()), load(gpu_as_hardware())];
    let schema = json!({"type": "object", "properties": {
        "name": {"type": "string", "maxLength": 20}, "age": {"type": "integer", "minimum": 0, "maximum": 130},
        "tags": {"type": "array", "items": {"enum": ["a", "b", "c"]}, "maxItems": 3}},
        "required": ["name", "age", "tags"], "additionalProperties": false});
    for seed in 0..10 {
        let format = json!({"type": "json_schema", "json_schema": {"name": "person", "schema": schema}});
        let more = json!({"response_format": format, "seed": seed});
        let (text, _, finish) = answer(&mut engines[seed % 2], request("Who?", more));
        assert_eq!(finish, FinishReason::Stop, "{text}");
        let value: Value = serde_json::from_str(&text).unwrap_or_else(|error| panic!("{text}: {error}"));
        assert!(value["age"].as_u64().is_some_and(|age| age <= 130), "{text}");
        eprintln!("{text}");
    }
}

#[test]
fn what_comes_before_a_trigger_is_free() {
    let mut engine = load(gpu());
    let plain = answer(&mut engine, request("What is the opposite of hot?", json!({"temperature": 0})));
    assert!(plain.0.contains("hot is "), "{}", plain.0);
    let format = json!({"type": "regex", "regex": "[0-9]{3}!", "trigger": "hot is "});
    let more = json!({"temperature": 0, "response_format": format});
    let (text, _, finish) = answer(&mut engine, request("What is the opposite of hot?", more));
    let (front, back) = text.split_once("hot is ").expect("the trigger stays");
    assert!(plain.0.starts_with(front));
    assert!(back.len() == 4 && back.ends_with('!') && back[..3].bytes().all(|b| b.is_ascii_digit()), "{text}");
    assert_eq!(finish, FinishReason::Stop);
}

/// What a grammar leaves no choice of is neither sampled nor read back, and a masked step makes no GPU object.
#[test]
fn tokens_that_must_come_are_not_sampled() {
    let mut engine = load(gpu());
    let only = "It was a dark and stormy night, and nobody had a choice.";
    let before = engine.counters();
    let format = json!({"type": "choice", "choices": [only]});
    let (text, _, finish) = answer(&mut engine, request("Go on.", json!({"response_format": format})));
    assert_eq!((text.as_str(), finish), (only, FinishReason::Stop));
    // The prompt's at most, which is computed while the grammar compiles.
    assert!(engine.counters().since(&before).reads <= 1);

    let schema = json!({"type": "object", "additionalProperties": false,
        "required": ["a_long_name_of_a_property", "another_long_name"],
        "properties": {"a_long_name_of_a_property": {"type": "boolean"}, "another_long_name": {"enum": [1, 2]}}});
    let format = json!({"type": "json_schema", "json_schema": {"schema": schema}});
    let ask = || request("Go on.", json!({"response_format": format, "seed": 3}));
    answer(&mut engine, ask());
    let before = engine.counters();
    let (text, tokens, _) = answer(&mut engine, ask());
    let spent = engine.counters().since(&before);
    assert!(spent.reads * 2 < tokens.len() as u64, "{} reads for {} tokens: {text}", spent.reads, tokens.len());
    assert_eq!(spent.objects(), 0, "{spent:?}");
}

/// A stop token that is chosen under a mask ends the batch, so that the pass behind it computes nothing: the next turn must not find it
/// in the cache.
#[test]
fn the_token_that_ends_a_form_is_computed_in_the_next_turn() {
    let mut engine = load(gpu());
    let question = "What is 17 + 25?";
    let more = json!({"response_format": {"type": "regex", "regex": "[0-9]{1,60}"}, "temperature": 0});
    let first = request(question, more);
    let prompt = engine.prompts().tokens(&first).expect("a prompt").len();
    let (text, tokens, _) = answer(&mut engine, first);
    let ended = tokens.last().is_some_and(|token| engine.tokenizer().stop_ids().contains(token));
    assert!(ended, "the answer ends by a token of its own: {text}");
    let messages = json!([{"role": "user", "content": question}, {"role": "assistant", "content": text},
        {"role": "user", "content": "Tell me a story."}]);
    let mut next = engine.submit(request("", json!({"messages": messages}))).expect("a good request");
    let usage = loop {
        if let Some(Event::Done { usage, .. }) = block_on(next.next()).expect("generates") {
            break usage;
        }
    };
    assert_eq!(usage.cached_tokens as usize, prompt + tokens.len() - 1);
}

/// The forward pass over a chosen token begins before it is known whether it stays. Where another takes its place, because the answer
/// has to come to its end, the engine asserts that it goes on from that other's keys and values.
#[test]
fn what_takes_the_place_of_a_token_is_computed() {
    let mut engine = load(gpu());
    let schema = json!({"type": "object", "additionalProperties": false, "required": ["name", "age", "tags"],
        "properties": {"name": {"type": "string", "maxLength": 40}, "age": {"type": "integer"},
            "tags": {"type": "array", "items": {"enum": ["a", "b"]}, "maxItems": 4}}});
    for seed in 0..16 {
        let format = json!({"type": "json_schema", "json_schema": {"schema": schema}});
        let more = json!({"response_format": format, "seed": seed, "max_tokens": 24 + seed % 8});
        let (text, _, finish) = answer(&mut engine, request("Who?", more));
        assert!(matches!(finish, FinishReason::Stop | FinishReason::Length) && text.ends_with('}'), "{text}");
    }
}

/// Found where an invoice ended within a text: no end of it was found from its beginning.
#[test]
fn invoice_is_whole_when_its_tokens_run_out() {
    let mut engine = load(Device::Cpu);
    let path = concat!(env!("CARGO_MANIFEST_DIR"), "/../tests/structured/realistic/invoice.json");
    let schema: Value = serde_json::from_slice(&std::fs::read(path).expect("a file")).expect("JSON");
    let validator = jsonschema::validator_for(&schema).expect("a schema");
    let format = json!({"type": "json_schema", "json_schema": {"schema": schema}});
    for (seed, limit) in [(7, 300), (8, 300), (9, 200), (10, 180)] {
        let more = json!({"response_format": format, "seed": seed, "max_tokens": limit});
        let (text, _, _) = answer(&mut engine, request("Tell me something.", more));
        let document = serde_json::from_str(&text).unwrap_or_else(|error| panic!("{text}: {error}"));
        assert!(validator.is_valid(&document), "{text}");
    }
}
