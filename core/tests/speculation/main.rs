//! Drafts, looked up or by a second model, change no token: whatever is drafted, however it is sampled, whenever it is cancelled.

mod distribution;
mod models;
mod sliding;
#[path = "../support/mod.rs"]
mod support;

use inglenook::device::Device;
use inglenook::engine::event::Event;
use inglenook::engine::request::Request;
use inglenook::engine::{Engine, EngineOptions, Model, ModelOptions};
use inglenook::source::Memory;
use pollster::block_on;
use serde_json::{Value, json};

use support::{EMBER, Said, gpu, read};

const STORY: &str = "Tell me a story about a cat.";

fn model(device: Device, bytes: &[u8], context: u32) -> Model {
    let options = ModelOptions { context: Some(context), ..ModelOptions::default() };
    block_on(Model::load(device, &Memory(bytes), &options, &mut |_| true)).expect("a sound file")
}

fn engine(model: &Model, options: &EngineOptions) -> Engine {
    block_on(Engine::new(model.clone(), options)).expect("an engine")
}

/// With drafts and without.
fn engines(model: &Model, drafting: &EngineOptions) -> [Engine; 2] {
    [drafting, &EngineOptions { no_speculation: true, ..EngineOptions::default() }]
        .map(|options| engine(model, options))
}

/// With as many drafts as there can be, and without: of a model that says the same as its draft model.
fn agreeing_engines(device: Device, context: u32) -> [Engine; 2] {
    let draft = Some(model(device.clone(), EMBER, context));
    let drafting = EngineOptions { draft, free_drafts: true, ..EngineOptions::default() };
    engines(&model(device, &models::deeper(3), context), &drafting)
}

fn ask(fields: Value) -> Request {
    let messages = json!([{"role": "user", "content": STORY}]);
    support::request(json!({"messages": messages, "temperature": 0, "max_tokens": 48, "logit_bias": {}}), fields)
}

/// Requests that are drafted for, and some that are not.
fn requests() -> Vec<Request> {
    let schema =
        json!({"type": "object", "properties": {"name": {"type": "string", "maxLength": 12}}, "required": ["name"]});
    let form = json!({"type": "json_schema", "json_schema": {"schema": schema}});
    [
        json!({}),
        json!({"temperature": 0.8, "seed": 5, "frequency_penalty": 0.4}),
        json!({"temperature": 1.3, "seed": 6, "top_k": 5}),
        json!({"temperature": 0.7, "seed": 7, "stop": [" and"]}),
        json!({"temperature": 1.0, "seed": 8, "repetition_penalty": 1.2, "min_tokens": 30}),
        json!({"temperature": 1.0, "seed": 9, "dry_multiplier": 0.8}),
        json!({"response_format": form}),
        json!({"max_tokens": 1}),
        json!({"max_tokens": 2}),
    ]
    .map(ask)
    .to_vec()
}

fn say(engine: &Engine, request: Request) -> Said {
    block_on(read(&mut engine.submit(request).expect("a good request")))
}

fn assert_same(found: &Said, expected: &Said) {
    assert_eq!((&found.text, &found.tokens, found.reason), (&expected.text, &expected.tokens, expected.reason));
}

/// Says all that is asked with drafts and without; tokens drafted, and accepted of them.
fn drafted_of_all([drafting, plain]: &[Engine; 2]) -> (u32, u32) {
    let mut sum = (0, 0);
    for request in requests() {
        let (said, expected) = (say(drafting, request.clone()), say(plain, request));
        assert_same(&said, &expected);
        sum = (sum.0 + said.usage.drafted_tokens, sum.1 + said.usage.accepted_tokens);
    }
    sum
}

#[test]
fn draft_by_a_model_that_says_the_same_is_accepted_whole() {
    for device in [Device::Cpu, gpu()] {
        let engines = agreeing_engines(device, 512);
        let (drafted, accepted) = drafted_of_all(&engines);
        assert!(drafted > 0, "it drafts");
        // An answer may end within a draft, and a few tokens are looked up.
        assert!(accepted * 10 >= drafted * 9, "{accepted} of {drafted}");
        assert_eq!(engines[0].metrics().drafted_tokens, u64::from(drafted));
    }
}

#[test]
fn draft_by_a_model_that_says_nonsense_is_given_up_and_changes_no_token() {
    for device in [Device::Cpu, gpu()] {
        let draft = Some(model(device.clone(), &models::shuffled(), 512));
        let engines = engines(&model(device, EMBER, 512), &EngineOptions { draft, ..EngineOptions::default() });
        let (drafted, accepted) = drafted_of_all(&engines);
        assert!(drafted > 0, "it is tried");
        assert!(drafted < 200, "{accepted} of {drafted}");
    }
}

#[test]
fn draft_that_is_cancelled_leaves_later_answers_right() {
    let [drafting, plain] = agreeing_engines(Device::Cpu, 512);
    let expected = say(&plain, ask(json!({})));
    let other = ask(json!({"messages": [{"role": "user", "content": "What is 17 + 25?"}]}));
    let expected_other = say(&plain, other.clone());
    for events in 1..8 {
        let mut answer = drafting.submit(ask(json!({}))).expect("a good request");
        (0..events).for_each(|_| _ = block_on(answer.next()).expect("generates"));
        drop(answer);
        assert_same(
            &say(&drafting, if events % 2 == 0 { other.clone() } else { ask(json!({})) }),
            if events % 2 == 0 { &expected_other } else { &expected },
        );
    }
    assert_eq!(drafting.requests(), 0);
}

#[test]
fn draft_stops_while_other_answers_run_and_goes_on_behind_them() {
    let [drafting, plain] = agreeing_engines(Device::Cpu, 512);
    let expected = say(&plain, ask(json!({"max_tokens": 90})));
    let short = ask(json!({"temperature": 1.0, "seed": 3, "max_tokens": 9}));
    let expected_short = say(&plain, short.clone());
    let mut long = drafting.submit(ask(json!({"max_tokens": 90}))).expect("a good request");
    // They join while drafts are under way.
    let mut text = String::new();
    let mut others = Vec::new();
    let said = loop {
        match block_on(long.next()).expect("generates").expect("an end") {
            Event::Text { text: piece } => text += &piece,
            Event::Done { reason, usage, .. } => {
                break Said {
                    text,
                    thought: String::new(),
                    calls: Vec::new(),
                    is_malformed: false,
                    tokens: long.tokens(0),
                    reason,
                    usage,
                    truncated: Vec::new(),
                };
            }
            _ => {}
        }
        if long.tokens(0).len() % 20 > 15 && others.len() < 3 {
            others.push(drafting.submit(short.clone()).expect("a good request"));
        }
    };
    assert_same(&said, &expected);
    assert!(said.usage.accepted_tokens > 0);
    others.iter_mut().for_each(|other| assert_same(&block_on(read(other)), &expected_short));
}

#[test]
fn draft_goes_on_behind_a_prompt_that_takes_several_chunks() {
    let [drafting, plain] = agreeing_engines(Device::Cpu, 512);
    let long =
        ask(json!({"messages": [{"role": "user", "content": "It rained all day, and nobody came. ".repeat(24)}]}));
    assert_same(&say(&drafting, long.clone()), &say(&plain, long));
}

#[test]
fn draft_model_with_another_vocabulary_is_refused() {
    let path = concat!(env!("CARGO_MANIFEST_DIR"), "/../tests/goldens/models/llama.gguf");
    let other = std::fs::read(path).expect("a golden model");
    let options = EngineOptions { draft: Some(model(Device::Cpu, &other, 64)), ..EngineOptions::default() };
    let error = block_on(Engine::new(model(Device::Cpu, EMBER, 512), &options)).expect_err("another vocabulary");
    assert_eq!(error.code(), "Unsupported");
    assert!(error.to_string().contains("same family"), "{error}");
}
