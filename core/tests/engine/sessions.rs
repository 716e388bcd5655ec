//! What was computed once and set aside is not computed again: evicted pages, and saved sessions.

use inglenook::engine::event::{Event, Usage};
use inglenook::engine::request::Request;
use inglenook::engine::{Engine, EngineOptions};
use inglenook::source::Memory;
use inglenook::{Device, KvType};
use pollster::block_on;
use serde_json::json;

use crate::support::module::InProcess;
use crate::{EMBER, gpu};

fn load(device: Device, options: &EngineOptions) -> Engine {
    block_on(Engine::load(device, &Memory(EMBER), options, &mut |_| true)).expect("ember loads")
}

fn ask(question: &str) -> Request {
    let message = json!({"role": "user", "content": question});
    Request::from_json(&json!({"temperature": 0, "max_tokens": 24, "messages": [message]}).to_string()).expect("good")
}

fn answer(engine: &Engine, request: Request) -> (Vec<u32>, Usage) {
    let mut answer = engine.submit(request).expect("a good request");
    loop {
        if let Event::Done { usage, .. } = block_on(answer.next()).expect("generates").expect("an end") {
            return (answer.tokens(0), usage);
        }
    }
}

fn story(about: &str) -> String {
    format!("The {about} was low and the old {about} slept beside it. ").repeat(12) + "What did it do?"
}

/// Room for one such conversation, so that each evicts the one before.
fn small(host_cache_bytes: usize) -> EngineOptions {
    EngineOptions {
        context: Some(320),
        max_sequences: Some(1),
        host_cache_bytes: Some(host_cache_bytes),
        ..EngineOptions::default()
    }
}

#[test]
fn evicted_pages_are_loaded_from_host_memory_and_give_the_same_tokens() {
    for device in [Device::Cpu, InProcess::device().1, gpu()] {
        let engine = load(device.client(), &small(1 << 30));
        let (first, usage) = answer(&engine, ask(&story("fire")));
        assert_eq!(usage.cached_tokens, 0);
        for about in ["river", "garden", "mountain"] {
            answer(&engine, ask(&story(about)));
        }
        let (again, usage) = answer(&engine, ask(&story("fire")));
        assert_eq!(again, first);
        assert!(engine.counts().loaded > 0, "{:?}", engine.counts());
        assert!(usage.cached_tokens + 64 > usage.prompt_tokens, "{usage:?}");

        let without = load(device, &small(0));
        for about in ["fire", "river", "garden", "mountain"] {
            answer(&without, ask(&story(about)));
        }
        let (again, usage) = answer(&without, ask(&story("fire")));
        assert_eq!((again, without.counts().loaded), (first, 0));
        assert!(usage.cached_tokens < 96, "{usage:?}");
    }
}

#[test]
fn quantised_pages_survive_host_memory() {
    for kv_type in [KvType::Q8_0, KvType::Q4_0, KvType::F32] {
        let engine = load(Device::Cpu, &EngineOptions { kv_type, ..small(1 << 30) });
        let (first, _) = answer(&engine, ask(&story("fire")));
        for about in ["river", "garden"] {
            answer(&engine, ask(&story(about)));
        }
        assert_eq!(answer(&engine, ask(&story("fire"))).0, first, "{kv_type:?}");
        assert!(engine.counts().loaded > 0);
    }
}

#[test]
fn reset_cache_forgets_pages_in_host_memory() {
    let engine = load(Device::Cpu, &small(1 << 30));
    for about in ["fire", "river", "garden"] {
        answer(&engine, ask(&story(about)));
    }
    engine.reset_cache();
    assert_eq!(answer(&engine, ask(&story("fire"))).1.cached_tokens, 0);
}

fn save(engine: &Engine, tokens: &[u32], state: &[u8]) -> Vec<u8> {
    let (mut file, mut session) = (Vec::new(), engine.save(tokens, state));
    while let Some(bytes) = block_on(session.next()).expect("reads") {
        file.extend(bytes);
    }
    file
}

/// A conversation, its tokens, and what follows in an engine that was not closed.
fn conversation(engine: &Engine) -> (Request, Vec<u32>, Request) {
    let request = ask(&story("fire"));
    let mut tokens = engine.prompt_tokens(&request).expect("a good request");
    let mut said = engine.submit(request.clone()).expect("a good request");
    let mut text = String::new();
    while let Some(event) = block_on(said.next()).expect("generates") {
        if let Event::Text { text: piece } = event {
            text += &piece;
        }
    }
    tokens.extend(said.tokens(0));
    let mut next = Request { max_tokens: Some(64), ..request.clone() };
    next.messages.push(json!({"role": "assistant", "content": text}));
    next.messages.push(json!({"role": "user", "content": "And then?"}));
    (request, tokens, next)
}

#[test]
fn restored_session_goes_on_with_the_same_tokens_and_without_prefill() {
    let options = EngineOptions { context: Some(1024), ..EngineOptions::default() };
    for device in [Device::Cpu, InProcess::device().1, gpu()] {
        for kv_type in [KvType::F16, KvType::Q8_0] {
            let options = EngineOptions { kv_type, ..options.clone() };
            let engine = load(device.client(), &options);
            let (_, tokens, next) = conversation(&engine);
            let file = save(&engine, &tokens, b"state");
            let (expected, before) = answer(&engine, next.clone());
            engine.close();

            let engine = load(device.client(), &options);
            let restored = engine.restore(&file).expect("its own file");
            assert_eq!(restored.state, b"state");
            assert_eq!(restored.tokens, tokens[..restored.tokens.len()]);
            assert!(restored.tokens.len() + 8 > tokens.len(), "{} of {}", restored.tokens.len(), tokens.len());
            let (found, usage) = answer(&engine, next);
            assert_eq!((found, usage.cached_tokens), (expected, before.cached_tokens), "{kv_type:?}");
            assert!(usage.cached_tokens as usize + 64 > tokens.len(), "{usage:?}");
        }
    }
}

#[test]
fn session_is_saved_and_restored_while_another_answer_goes_on() {
    let engine = load(Device::Cpu, &EngineOptions { context: Some(1024), ..EngineOptions::default() });
    let (_, tokens, next) = conversation(&engine);
    let other = ask("Tell me a story about a cat.");
    let (expected, _) = answer(&engine, other.clone());
    engine.reset_cache();
    let (_, _, _) = conversation(&engine);
    let mut running = engine.submit(other).expect("a good request");
    block_on(running.next()).expect("generates");
    let file = save(&engine, &tokens, b"");
    engine.reset_cache();
    engine.restore(&file).expect("its own file");
    assert!(answer(&engine, next).1.cached_tokens as usize + 64 > tokens.len());
    while block_on(running.next()).expect("generates").is_some() {}
    assert_eq!(running.tokens(0), expected);
}

/// Pages are read as the file is written, so one that is gone by then ends the session, which is whole all the same.
#[test]
fn session_ends_before_a_page_that_is_evicted_while_it_is_saved() {
    let engine = load(Device::Cpu, &EngineOptions { context: Some(1024), ..EngineOptions::default() });
    let (_, tokens, next) = conversation(&engine);
    let expected = answer(&engine, next.clone()).0;
    let (mut file, mut session) = (Vec::new(), engine.save(&tokens, b"state"));
    for piece in 0.. {
        let Some(bytes) = block_on(session.next()).expect("reads") else { break };
        file.extend(bytes);
        // Behind the head and two pages.
        if piece == 2 {
            engine.reset_cache();
        }
    }
    let restored = engine.restore(&file).expect("its own file");
    assert_eq!((restored.state.as_slice(), restored.tokens.as_slice()), (&b"state"[..], &tokens[..64]));
    let (again, usage) = answer(&engine, next);
    assert_eq!((again, usage.cached_tokens), (expected, 64));
}

#[test]
fn foreign_and_damaged_sessions_are_typed_errors_and_the_engine_keeps_running() {
    use inglenook::engine::session_file::SessionFileError as Fault;
    let engine = load(Device::Cpu, &EngineOptions::default());
    let (request, tokens, _) = conversation(&engine);
    let file = save(&engine, &tokens, b"state");
    let expected = answer(&engine, request.clone()).0;
    let refused = |engine: &Engine, file: &[u8]| match engine.restore(file) {
        Err(inglenook::Error::Session(fault)) => fault,
        other => panic!("{other:?}"),
    };

    let mut other_version = file.clone();
    other_version[8] = 99;
    assert_eq!(refused(&engine, &other_version), Fault::Version { found: 99 });
    assert_eq!(refused(&engine, b"# Notes of today"), Fault::NotASession);
    for len in [0, 1, 12, 100, file.len() / 2, file.len() - 1] {
        assert!(matches!(refused(&engine, &file[..len]), Fault::Truncated { .. }), "{len}");
    }
    for at in (16..file.len()).step_by(file.len() / 40) {
        let mut damaged = file.clone();
        damaged[at] ^= 1;
        assert!(matches!(refused(&engine, &damaged), Fault::Damaged { .. } | Fault::OtherModel { .. }), "{at}");
    }
    assert_eq!(answer(&engine, request.clone()).0, expected);

    let quantised = load(Device::Cpu, &EngineOptions { kv_type: KvType::Q8_0, ..EngineOptions::default() });
    assert!(matches!(refused(&quantised, &file), Fault::OtherLayout { .. }));

    let mut other_weights = EMBER.to_vec();
    let last = other_weights.len() - 64;
    other_weights[last] ^= 1;
    let (source, options) = (Memory(&other_weights), EngineOptions::default());
    let other = block_on(Engine::load(Device::Cpu, &source, &options, &mut |_| true)).expect("loads");
    assert!(matches!(refused(&other, &file), Fault::OtherModel { .. }));
    answer(&other, request);
}

#[test]
fn restored_session_larger_than_the_cache_is_kept_in_host_memory() {
    let options = EngineOptions { context: Some(1024), ..EngineOptions::default() };
    let large = load(Device::Cpu, &options);
    let (_, tokens, _) = conversation(&large);
    let file = save(&large, &tokens, b"");
    let small = load(Device::Cpu, &EngineOptions { context: Some(128), ..small(1 << 30) });
    let restored = small.restore(&file).expect("its own file");
    assert!(restored.tokens.len() > 160);
    assert!(!answer(&small, ask("Hello!")).0.is_empty());
}
