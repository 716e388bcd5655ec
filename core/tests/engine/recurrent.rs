//! Models with recurrent states: what stands of them is known behind whole pages alone, and cannot be taken back.

use std::rc::Rc;

use inglenook::Device;
use inglenook::engine::EngineOptions;
use inglenook::engine::page_store::FolderStore;
use inglenook::engine::request::Request;
use pollster::block_on;

use crate::gpu;
use crate::oracle::{Oracle, answer, golden, load, options, read, request, text, text_of};

/// A delta net, Mamba 2 beside attention, and Mamba 2 or nothing.
const MODELS: [&str; 3] = ["qwen35", "falcon-h1", "nemotron_h"];

#[test]
fn answers_of_recurrent_models_are_preempted_and_go_on_as_they_would_have() {
    for name in MODELS {
        let model = golden(name);
        let engine = load(Device::Cpu, &model, &options(4));
        let oracle = Oracle::new(&model, &engine);
        let requests: Vec<Request> = (0..5).map(|at| request(&engine, &text_of(&engine, at, 120), 220)).collect();
        let answers = requests.iter().map(|request| read(engine.submit(request.clone()).expect("good")));
        for ((tokens, _), request) in block_on(futures_util::future::join_all(answers)).iter().zip(&requests) {
            assert_eq!(*tokens, oracle.answer(&engine, request), "{name}");
        }
    }
}

#[test]
fn states_behind_whole_pages_come_back_from_host_memory() {
    for name in MODELS {
        for device in [Device::Cpu, gpu()] {
            let engine = load(device, &golden(name), &EngineOptions { host_cache_bytes: Some(1 << 26), ..options(1) });
            let requests: Vec<Request> = (0..4).map(|at| request(&engine, &text_of(&engine, at, 250), 30)).collect();
            let first: Vec<_> = requests.iter().map(|request| answer(&engine, request).0).collect();
            for (request, first) in requests.iter().zip(first) {
                let (again, usage) = answer(&engine, request);
                assert_eq!(again, first, "{name}");
                assert!(usage.cached_tokens >= 160, "{name}: {usage:?}");
            }
        }
    }
}

#[test]
fn session_of_a_recurrent_model_goes_on_in_another_engine() {
    for name in MODELS {
        let model = golden(name);
        let engine = load(Device::Cpu, &model, &options(1));
        let whole = text_of(&engine, 3, 200);
        let first = request(&engine, &whole, 1);
        let mut tokens = engine.prompt_tokens(&first).expect("a good request");
        tokens.extend(answer(&engine, &first).0);
        let mut session = engine.save(&tokens, b"state");
        let mut file = Vec::new();
        while let Some(bytes) = block_on(session.next()).expect("reads") {
            file.extend(bytes);
        }
        let on = request(&engine, &(whole + " " + &text(1, 5)), 40);
        let (expected, _) = answer(&engine, &on);
        engine.close();

        let engine = load(Device::Cpu, &model, &options(1));
        engine.restore(&file).expect("its own file");
        let (found, usage) = answer(&engine, &on);
        assert_eq!(found, expected, "{name}");
        assert!(usage.cached_tokens >= 128, "{name}: {usage:?}");
    }
}

#[test]
fn stored_states_come_back_in_another_engine() {
    for name in MODELS {
        let (model, folder) = (golden(name), tempfile::tempdir().expect("a folder"));
        let open = || {
            let store = Rc::new(FolderStore::open(folder.path(), 1 << 30).expect("opens"));
            load(Device::Cpu, &model, &EngineOptions { page_store: Some(store), ..options(2) })
        };
        let engine = open();
        let request = request(&engine, &text_of(&engine, 4, 200), 30);
        let (first, _) = answer(&engine, &request);
        block_on(engine.store_pages()).expect("writes");
        engine.close();
        let engine = open();
        let (again, usage) = answer(&engine, &request);
        assert_eq!(again, first, "{name}");
        assert!(usage.cached_tokens >= 128, "{name}: {usage:?}");
    }
}
