//! Requests from strangers. `tests/malformed/requests/NAME.json` is what is sent to ember, and `NAME.expected` what must come of it: an
//! error's message, or an answer. What would be too long for a file is in `generated.rs`.

mod generated;
mod mutations;
#[path = "../support/mod.rs"]
mod support;

use std::fs;
use std::path::{Path, PathBuf};
use std::time::{Duration, Instant};

use inglenook::device::Device;
use inglenook::engine::event::{Event, FinishReason};
use inglenook::engine::request::{Request, ToolChoice};
use inglenook::engine::{Engine, EngineOptions};
use inglenook::source::Memory;
use pollster::block_on;
use serde_json::{Value, json};

use support::EMBER;

/// Tokens of an answer, where the request says nothing.
const MAX_TOKENS: u32 = 8;

/// What a request may take until its answer or error. In a development build on a busy machine; the slowest take a tenth of it.
const TIME: Duration = Duration::from_secs(10);

/// What is expected of a request that can be answered.
const ANSWER: &str = "an answer";

fn load() -> Engine {
    block_on(Engine::load(Device::Cpu, &Memory(EMBER), &EngineOptions::default(), &mut |_| true)).expect("ember loads")
}

/// The requests.
fn files() -> Vec<PathBuf> {
    let folder = Path::new(env!("CARGO_MANIFEST_DIR")).join("../tests/malformed/requests");
    let mut paths: Vec<_> = fs::read_dir(folder).unwrap().map(|entry| entry.unwrap().path()).collect();
    paths.retain(|path| path.extension().is_some_and(|extension| extension == "json"));
    paths.sort();
    paths
}

/// What comes of a request. An error comes as its message.
fn send(engine: &mut Engine, json: &[u8]) -> Result<(), String> {
    let json = std::str::from_utf8(json).map_err(|error| error.to_string())?;
    let mut request = Request::from_json(json).map_err(|error| error.to_string())?;
    let limit = *request.max_tokens.get_or_insert(MAX_TOKENS);
    let must_call = matches!(request.tool_choice, ToolChoice::Required | ToolChoice::Named(_));
    let mut generation = engine.submit(request).map_err(|error| error.to_string())?;
    let mut done = None;
    while let Some(event) = block_on(generation.next()).map_err(|error| error.to_string())? {
        assert!(done.is_none(), "{event:?} after the end");
        if let Event::Done { usage, reason, .. } = event {
            // A call is never brought to its end: where the tokens did not suffice, the answer says that it is cut off.
            let is_cut = reason == FinishReason::Length && usage.completion_tokens == limit;
            assert!(
                !must_call || reason == FinishReason::ToolCalls || is_cut,
                "{reason:?} where a call must come: {json}"
            );
            done = Some(usage.completion_tokens);
        }
    }
    let tokens = done.expect("an end");
    assert!(tokens <= limit, "{tokens} tokens, where {limit} were asked for");
    Ok(())
}

#[test]
fn every_request_is_answered_as_expected() {
    let mut engine = load();
    let kept = files().into_iter().map(|path| {
        let name = path.file_stem().unwrap_or_default().to_string_lossy().into_owned();
        (name, fs::read(&path).unwrap(), fs::read_to_string(path.with_extension("expected")).unwrap_or_default())
    });
    let generated =
        generated::requests().into_iter().map(|(name, json, expected)| (name.into(), json.into(), expected));
    let requests: Vec<(String, Vec<u8>, String)> = kept.chain(generated).collect();
    assert!(requests.len() >= 100, "{} requests", requests.len());
    let mut wrong = Vec::new();
    for (name, json, expected) in requests {
        let begun = Instant::now();
        let found = send(&mut engine, &json).err().unwrap_or_else(|| ANSWER.into());
        let took = begun.elapsed();
        if found != expected.trim_end() {
            wrong.push(format!("{name}:\n{found}\nnot\n{expected}"));
        }
        if took > TIME {
            wrong.push(format!("{name} takes {took:?}"));
        }
    }
    assert!(wrong.is_empty(), "{}", wrong.join("\n"));
}

/// What is too large for a file.
#[test]
fn megabytes_are_answered_in_time() {
    let mut engine = load();
    let mut try_out = |what: &str, request: &Value| {
        let begun = Instant::now();
        let outcome = send(&mut engine, request.to_string().as_bytes());
        assert!(begun.elapsed() < TIME, "{what} takes {:?}", begun.elapsed());
        outcome
    };
    let message = |content: &str| json!([{"role": "user", "content": content}]);
    for letters in ["a", " ", "😀", "<|im_end|>", "once upon a time "] {
        let outcome = try_out(letters, &json!({"messages": message(&letters.repeat((1 << 20) / letters.len()))}));
        assert!(outcome.is_err_and(|error| error.contains("leaves no room for an answer")), "{letters:?}");
    }
    let stop = json!({"messages": message("Hi"), "stop": "a".repeat(1 << 20)});
    let error = try_out("stop", &stop).expect_err("too long a stop string");
    assert!(error.contains("stop string"), "{error}");
    let turns: Vec<Value> = (0..100_000).map(|_| json!({"role": "user", "content": "a"})).collect();
    assert!(try_out("messages", &json!({"messages": turns})).is_err());
}
