//! The embedder's store of pages: a conversation that is opened again in another engine is not computed again, and whatever the store
//! does, the tokens are those of an engine without one.

use std::cell::{Cell, RefCell};
use std::collections::BTreeMap;
use std::rc::Rc;
use std::task::Poll;

use inglenook::engine::event::{Event, Usage};
use inglenook::engine::page_store::{FolderStore, LocalFuture, PageStore, PageStoreCounts, PageStoreError};
use inglenook::source::Memory;
use inglenook::{Answer, Device, Engine, EngineOptions, KvType, Request};
use pollster::block_on;
use serde_json::json;

use crate::{EMBER, gpu};

/// Entries in memory. Each call takes `delay` polls, and fails where `fails`.
#[derive(Debug, Default)]
struct TestStore {
    entries: RefCell<BTreeMap<String, Vec<u8>>>,
    delay: Cell<u32>,
    fails: Cell<bool>,
}

impl TestStore {
    async fn wait(&self) -> Result<(), PageStoreError> {
        let mut left = self.delay.get();
        std::future::poll_fn(|context| {
            context.waker().wake_by_ref();
            left = left.saturating_sub(1);
            if left == 0 { Poll::Ready(()) } else { Poll::Pending }
        })
        .await;
        if self.fails.get() { Err(PageStoreError("the disk is full".into())) } else { Ok(()) }
    }
}

impl PageStore for TestStore {
    fn get<'a>(&'a self, name: &'a str) -> LocalFuture<'a, Result<Option<Vec<u8>>, PageStoreError>> {
        Box::pin(async move { self.wait().await.map(|()| self.entries.borrow().get(name).cloned()) })
    }

    fn put<'a>(&'a self, name: &'a str, bytes: &'a [u8]) -> LocalFuture<'a, Result<(), PageStoreError>> {
        Box::pin(async move {
            self.wait().await?;
            self.entries.borrow_mut().insert(name.into(), bytes.into());
            Ok(())
        })
    }
}

fn load(device: Device, options: &EngineOptions) -> Engine {
    block_on(Engine::load(device, &Memory(EMBER), options, &mut |_| true)).expect("ember loads")
}

/// Room for one conversation of `story`, and none in host memory.
fn small(store: Rc<dyn PageStore>) -> EngineOptions {
    EngineOptions {
        context: Some(320),
        max_sequences: Some(1),
        host_cache_bytes: Some(0),
        page_store: Some(store),
        ..EngineOptions::default()
    }
}

fn story(about: &str) -> Request {
    let text = format!("The {about} was low and the old {about} slept beside it. ").repeat(12) + "What did it do?";
    let message = json!({"role": "user", "content": text});
    Request::from_json(&json!({"temperature": 0, "max_tokens": 24, "messages": [message]}).to_string()).expect("good")
}

fn submit(engine: &Engine, about: &str) -> Answer {
    engine.submit(story(about)).expect("a good request")
}

async fn read(mut answer: Answer) -> (Vec<u32>, Usage) {
    loop {
        if let Event::Done { usage, .. } = answer.next().await.expect("generates").expect("an end") {
            return (answer.tokens(0), usage);
        }
    }
}

fn ask(engine: &Engine, about: &str) -> (Vec<u32>, Usage) {
    block_on(read(submit(engine, about)))
}

fn expected(about: &str) -> Vec<u32> {
    ask(&load(Device::Cpu, &EngineOptions::default()), about).0
}

/// All full pages of the prompt but for its last token.
fn full_pages(usage: &Usage) -> u32 {
    (usage.prompt_tokens - 1) / 32 * 32
}

#[test]
fn conversation_in_a_folder_is_not_computed_again_by_another_engine() {
    for device in [Device::Cpu, gpu()] {
        for kv_type in [KvType::F16, KvType::Q8_0] {
            let folder = tempfile::tempdir().expect("a folder");
            let open = || {
                let store = Rc::new(FolderStore::open(folder.path(), 1 << 30).expect("opens"));
                let options = EngineOptions { kv_type, page_store: Some(store), ..EngineOptions::default() };
                load(device.client(), &options)
            };
            let engine = open();
            let (first, usage) = ask(&engine, "fire");
            block_on(engine.store_pages()).expect("writes");
            let stored = engine.metrics().page_store.stored;
            assert_eq!(usage.cached_tokens, 0);
            assert!(stored >= u64::from(usage.prompt_tokens / 32), "{stored} of {usage:?}");
            block_on(engine.store_pages()).expect("writes");
            assert_eq!(engine.metrics().page_store.stored, stored, "what the store has is not written again");
            engine.close();

            let engine = open();
            let (again, usage) = ask(&engine, "fire");
            assert_eq!((again, usage.cached_tokens), (first, full_pages(&usage)), "{kv_type:?}");
            assert_eq!(engine.metrics().page_store.loaded, u64::from(usage.cached_tokens / 32));
        }
    }
}

#[test]
fn evicted_pages_go_to_the_store_and_come_back_while_answers_are_under_way() {
    for device in [Device::Cpu, gpu()] {
        let store = Rc::new(TestStore::default());
        store.delay.set(2);
        let engine = load(device, &small(store.clone()));
        let (first, _) = ask(&engine, "fire");
        for about in ["river", "garden", "mountain", "forest", "desert"] {
            ask(&engine, about);
        }
        assert!(store.entries.borrow().len() > 8, "{}", store.entries.borrow().len());
        let (again, usage) = ask(&engine, "fire");
        assert_eq!(again, first);
        assert!(engine.metrics().page_store.loaded > 0 && usage.cached_tokens > 96, "{usage:?}");
    }
}

/// Host memory has the beginning of a prompt, which was used last, and the store the rest.
#[test]
fn prompt_is_loaded_from_host_memory_and_the_store_in_turn() {
    let store = Rc::new(TestStore::default());
    let options = small(store.clone());
    let engine = load(Device::Cpu, &options);
    let page_bytes = engine.info().memory.kv_cache / engine.metrics().pages;
    let options = EngineOptions { host_cache_bytes: Some(10 * page_bytes as usize), ..options };
    let engine = load(Device::Cpu, &options);
    ask(&engine, "fire");
    for about in ["river", "garden"] {
        block_on(engine.store_pages()).expect("writes");
        ask(&engine, about);
    }
    let (tokens, usage) = ask(&engine, "fire");
    let loaded = engine.metrics().page_store.loaded;
    assert_eq!((tokens, usage.cached_tokens), (expected("fire"), full_pages(&usage)));
    assert!(loaded > 0 && loaded < u64::from(usage.cached_tokens / 32), "{loaded} of {usage:?}");
}

#[test]
fn answers_go_on_while_another_waits_for_the_store() {
    let store = Rc::new(TestStore::default());
    let engine = load(Device::Cpu, &EngineOptions { page_store: Some(store.clone()), ..EngineOptions::default() });
    ask(&engine, "fire");
    block_on(engine.store_pages()).expect("writes");
    engine.reset_cache();
    let mut running = submit(&engine, "river");
    block_on(running.next()).expect("generates");
    store.delay.set(u32::MAX);
    let waiting = submit(&engine, "fire");
    assert_eq!(block_on(read(running)).0, expected("river"));
    // A load that is given up holds nobody.
    drop(waiting);
    store.delay.set(0);
    let (tokens, usage) = ask(&engine, "fire");
    assert_eq!((tokens, usage.cached_tokens), (expected("fire"), full_pages(&usage)));
    assert_eq!(engine.requests(), 0);
}

#[test]
fn choices_of_one_request_load_its_prompt_side_by_side() {
    let store = Rc::new(TestStore::default());
    let options = || EngineOptions { page_store: Some(store.clone()), ..EngineOptions::default() };
    let engine = load(Device::Cpu, &options());
    ask(&engine, "fire");
    block_on(engine.store_pages()).expect("writes");
    let engine = load(Device::Cpu, &options());
    store.delay.set(2);
    let mut answer = engine.submit(Request { n: Some(3), ..story("fire") }).expect("good");
    while let Some(event) = block_on(answer.next()).expect("generates") {
        if let Event::Done { usage, .. } = event {
            assert!(usage.cached_tokens >= full_pages(&usage), "{usage:?}");
        }
    }
    (0..3).for_each(|choice| assert_eq!(answer.tokens(choice), expected("fire")));
}

#[test]
fn damaged_entries_are_counted_and_computed_again() {
    let store = Rc::new(TestStore::default());
    let engine = load(Device::Cpu, &EngineOptions { page_store: Some(store.clone()), ..EngineOptions::default() });
    let (first, _) = ask(&engine, "fire");
    block_on(engine.store_pages()).expect("writes");
    let whole = store.entries.borrow().clone();
    for seed in 0..40 {
        let mut random = fastrand::Rng::with_seed(seed);
        *store.entries.borrow_mut() = whole.clone();
        let swapped: Vec<Vec<u8>> = whole.values().rev().cloned().collect();
        for ((_, entry), other) in store.entries.borrow_mut().iter_mut().zip(swapped) {
            match random.u32(0..5) {
                0 => entry.truncate(random.usize(0..entry.len())),
                1 => entry.push(0),
                2 => *entry = other,
                3 => {
                    let at = random.usize(0..entry.len());
                    entry[at] ^= 1 << random.u32(0..8);
                }
                _ => {}
            }
        }
        engine.reset_cache();
        let before = engine.metrics().page_store;
        let (again, usage) = ask(&engine, "fire");
        assert_eq!(again, first, "seed {seed}");
        let PageStoreCounts { damaged, loaded, .. } = engine.metrics().page_store;
        let is_whole = usage.cached_tokens == full_pages(&usage);
        assert_eq!(damaged - before.damaged, u64::from(!is_whole), "seed {seed}: the first ends the load");
        assert_eq!(loaded - before.loaded, u64::from(usage.cached_tokens / 32));
    }
    // What was damaged is written again.
    store.entries.borrow_mut().values_mut().for_each(|entry| entry.clear());
    let engine = load(Device::Cpu, &EngineOptions { page_store: Some(store.clone()), ..EngineOptions::default() });
    ask(&engine, "fire");
    block_on(engine.store_pages()).expect("writes");
    assert_eq!(*store.entries.borrow(), whole);
}

#[test]
fn store_that_fails_is_the_error_of_no_answer() {
    let store = Rc::new(TestStore::default());
    store.fails.set(true);
    let engine = load(Device::Cpu, &small(store.clone()));
    for about in ["fire", "river", "garden", "fire"] {
        assert_eq!(ask(&engine, about).0, expected(about));
    }
    assert!(engine.metrics().page_store.failed > 4, "{:?}", engine.metrics().page_store);
    assert_eq!(block_on(engine.store_pages()).expect_err("fails").to_string(), "the disk is full");
    store.fails.set(false);
    block_on(engine.store_pages()).expect("writes");
    assert!(!store.entries.borrow().is_empty());
}

#[test]
fn pages_of_another_model_or_layout_are_not_found() {
    let store = Rc::new(TestStore::default());
    let options = EngineOptions { page_store: Some(store), ..EngineOptions::default() };
    let engine = load(Device::Cpu, &options);
    ask(&engine, "fire");
    block_on(engine.store_pages()).expect("writes");
    let quantised = load(Device::Cpu, &EngineOptions { kv_type: KvType::Q8_0, ..options.clone() });
    let mut other_weights = EMBER.to_vec();
    let last = other_weights.len() - 64;
    other_weights[last] ^= 1;
    let other = block_on(Engine::load(Device::Cpu, &Memory(&other_weights), &options, &mut |_| true)).expect("loads");
    for engine in [quantised, other] {
        assert_eq!(ask(&engine, "fire").1.cached_tokens, 0);
        assert_eq!(engine.metrics().page_store, PageStoreCounts::default());
    }
}
