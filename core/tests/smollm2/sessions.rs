//! A conversation of 4,000 tokens goes on in another engine, from a session and from the page store.

use std::rc::Rc;
use std::time::Instant;

use inglenook::engine::page_store::FolderStore;
use inglenook::text::Special;
use inglenook::{Device, Engine, EngineOptions, Event, Request};
use pollster::block_on;
use serde_json::json;

use crate::{gpu, load};

const TOKENS: usize = 4000;

/// Time until the first token, milliseconds; tokens that were cached; the greedy tokens.
fn ask(engine: &Engine, prompt: &str) -> (f64, usize, Vec<u32>) {
    let stops = engine.tokenizer().stop_ids().iter().map(|id| (id.to_string(), json!(-100)));
    let never = serde_json::Map::from_iter(stops);
    let request = json!({"prompt": prompt, "temperature": 0, "max_tokens": 64, "logit_bias": never});
    let mut answer = engine.submit(Request::from_json(&request.to_string()).expect("good")).expect("good");
    let started = Instant::now();
    let mut first = None;
    loop {
        let event = block_on(answer.next()).expect("generates").expect("an end");
        let first = *first.get_or_insert_with(|| started.elapsed().as_secs_f64() * 1e3);
        if let Event::Done { usage, .. } = event {
            return (first, usage.cached_tokens as usize, answer.tokens(0));
        }
    }
}

/// How long it takes beside prefill is printed: a bound of time in a test would fail on a machine that is busy.
fn go_on(device: &Device) {
    let options = EngineOptions { context: Some(4200), max_sequences: Some(1), ..EngineOptions::default() };
    let folder = tempfile::tempdir().expect("a folder");
    let with_store = || {
        let store = FolderStore::open(folder.path(), 1 << 30).expect("opens");
        load(device, &EngineOptions { page_store: Some(Rc::new(store)), ..options.clone() })
    };
    let engine = with_store();
    let text: String = (0..2000).map(|number| format!("{number} sheep, ")).collect();
    let all = engine.tokenizer().encode(&text, Special::AsText, false);
    let prompt = engine.tokenizer().decode(&all[..TOKENS]);
    let request = Request::from_json(&json!({"prompt": prompt}).to_string()).expect("good");
    let tokens = engine.prompt_tokens(&request).expect("good");
    let (prefill, cached, expected) = ask(&engine, &prompt);
    assert_eq!((cached, expected.len()), (0, 64));
    println!("prefill of {} tokens: {prefill:.0} ms until the first token", tokens.len());
    let (mut file, mut session) = (Vec::new(), engine.save(&tokens, b"state"));
    while let Some(bytes) = block_on(session.next()).expect("reads") {
        file.extend(bytes);
    }
    block_on(engine.store_pages()).expect("writes");
    engine.close();

    let engine = load(device, &options);
    let started = Instant::now();
    engine.restore(&file).expect("its own file");
    block_on(engine.device().wait_idle()).expect("works");
    let restored = started.elapsed().as_secs_f64() * 1e3;
    let (first, cached, found) = ask(&engine, &prompt);
    println!(
        "a session of {} bytes is restored in {restored:.0} ms, {:.1} % of it; the first token comes {first:.0} ms later",
        file.len(),
        100.0 * restored / prefill
    );
    assert_eq!((cached, found), (tokens.len() - 1, expected.clone()), "the next 64 greedy tokens");
    engine.close();

    let engine = with_store();
    let (first, cached, found) = ask(&engine, &prompt);
    println!("from the page store: {first:.0} ms until the first token, {:.1} % of it", 100.0 * first / prefill);
    assert_eq!((cached, found), ((tokens.len() - 1) / 32 * 32, expected));
}

#[test]
#[ignore = "needs a model: cargo xtask smollm2"]
fn smollm2_goes_on_after_4000_tokens_without_prefill_on_the_cpu() {
    go_on(&Device::Cpu);
}

#[test]
#[ignore = "needs a model: cargo xtask smollm2"]
fn smollm2_goes_on_after_4000_tokens_without_prefill_on_the_gpu() {
    go_on(&gpu());
}
