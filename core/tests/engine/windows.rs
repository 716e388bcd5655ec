//! Models with sliding windows give back the pages behind them, and answer as if nothing was given back, shared, evicted or restored.

use std::rc::Rc;

use inglenook::Device;
use inglenook::engine::page_store::FolderStore;
use inglenook::engine::request::Request;
use inglenook::engine::{Engine, EngineOptions};
use pollster::block_on;

use crate::gpu;
use crate::oracle::{Oracle, answer, golden, load, options, read, request, text};

/// The model whose two layers have windows of 37 tokens, where of each `period` layers the last has none; 0: all have one.
fn windowed(period: u32) -> Vec<u8> {
    let mut file = golden("windowed");
    let text = |text: &str| [&(text.len() as u64).to_le_bytes()[..], text.as_bytes()].concat();
    let pattern = [&4u32.to_le_bytes()[..], &period.to_le_bytes()].concat();
    let mut entries = [text("llama.attention.sliding_window_pattern"), pattern].concat();
    // Tensors begin at multiples of 32 bytes.
    let mut note = [text("general.description"), 8u32.to_le_bytes().to_vec()].concat();
    note.extend(text(&".".repeat(64 - (entries.len() + note.len() + 8) % 32)));
    entries.extend(note);
    let count = u64::from_le_bytes(file[16..24].try_into().expect("8 bytes"));
    file[16..24].copy_from_slice(&(count + 2).to_le_bytes());
    file.splice(24..24, entries);
    file
}

/// Windows in all layers, in one of two, and in all beside sinks.
fn models() -> [Vec<u8>; 3] {
    [windowed(0), windowed(2), golden("sinks")]
}

#[test]
fn answers_beyond_their_windows_equal_those_with_every_page_kept() {
    for (number, model) in models().iter().enumerate() {
        for device in [Device::Cpu, gpu()] {
            let engine = load(device, model, &options(1));
            let oracle = Oracle::new(model, &engine);
            let request = request(&engine, &text(1, 90), 200);
            let (tokens, usage) = answer(&engine, &request);
            assert!(usage.prompt_tokens > 80, "{usage:?}");
            assert_eq!(tokens, oracle.answer(&engine, &request), "model {number}");
            assert_eq!(engine.counts().preempted, 0);
        }
    }
}

#[test]
fn answers_from_a_cache_of_several_segments_equal_those_from_one() {
    // A page takes 8 KiB, and there are 14 of them in three segments.
    let segmented = EngineOptions { segment_bytes: Some(40 << 10), ..options(1) };
    for model in [windowed(1), windowed(2)] {
        for device in [Device::Cpu, gpu()] {
            let engine = load(device.client(), &model, &segmented);
            let whole = load(device, &model, &options(1));
            let long = request(&engine, &text(1, 90), 290);
            let (said, usage) = answer(&engine, &long);
            assert!(usage.prompt_tokens + usage.completion_tokens > 11 * 32, "{usage:?}");
            assert_eq!(said, answer(&whole, &long).0);
            // What goes on from the end of a restored conversation reads all segments.
            let first = request(&engine, &text(3, 340), 1);
            let file = saved(&engine, &first, &answer(&engine, &first).0);
            engine.reset_cache();
            engine.restore(&file).expect("its own file");
            let on = request(&engine, &(text(3, 340) + " " + &text(1, 10)), 40);
            let (said, usage) = answer(&engine, &on);
            assert!(usage.cached_tokens > 320, "{usage:?}");
            assert_eq!(said, answer(&whole, &on).0);
        }
    }
}

#[test]
fn windowed_layers_take_memory_for_their_windows_alone() {
    // Windows in no layer, in one of two, in both.
    let bytes = [1, 2, 0].map(|period| load(gpu(), &windowed(period), &options(1)).info().memory.kv_cache);
    // 13 pages of a context and one more; 5 of a window and a software adapter's chunk of 64, and one more. Two layers of two heads of 16, keys and values.
    let page = 2 * 2 * 16 * 4 * 32;
    assert_eq!(bytes[0] - bytes[1], (14 - 6) * page - 13 * 4, "a second block table");
    assert_eq!(bytes[0] - bytes[2], 2 * (14 - 6) * page);
}

#[test]
fn batched_answers_of_windowed_models_share_prefixes_and_equal_those_given_alone() {
    for model in models() {
        for device in [Device::Cpu, gpu()] {
            let engine = load(device, &model, &options(3));
            let oracle = Oracle::new(&model, &engine);
            let prompts: Vec<String> = (0..6).map(|at| text(2, 70 + 12 * (at % 3)) + " " + &text(at, 5 + at)).collect();
            let requests: Vec<Request> = prompts.iter().map(|prompt| request(&engine, prompt, 60)).collect();
            let answers = requests.iter().map(|request| read(engine.submit(request.clone()).expect("good")));
            let said = block_on(futures_util::future::join_all(answers));
            for ((tokens, _), request) in said.iter().zip(&requests) {
                assert_eq!(*tokens, oracle.answer(&engine, request));
            }
            assert!(said.iter().any(|(_, usage)| usage.cached_tokens > 60), "a prompt's beginning is shared");
        }
    }
}

#[test]
fn answers_of_windowed_models_are_preempted_and_go_on_as_they_would_have() {
    for model in models() {
        let engine = load(Device::Cpu, &model, &options(4));
        let oracle = Oracle::new(&model, &engine);
        let requests: Vec<Request> = (0..5).map(|at| request(&engine, &text(at, 40), 220)).collect();
        let answers = requests.iter().map(|request| read(engine.submit(request.clone()).expect("good")));
        for ((tokens, _), request) in block_on(futures_util::future::join_all(answers)).iter().zip(&requests) {
            assert_eq!(*tokens, oracle.answer(&engine, request));
        }
    }
}

#[test]
fn conversation_with_a_windowed_model_goes_on_from_its_end_and_from_its_middle() {
    for model in models() {
        let engine = load(Device::Cpu, &model, &options(1));
        let oracle = Oracle::new(&model, &engine);
        let whole = text(3, 150);
        let first = request(&engine, &whole, 20);
        assert_eq!(answer(&engine, &first).0, oracle.answer(&engine, &first));
        let on = request(&engine, &(whole.clone() + " " + &text(1, 10)), 40);
        let (tokens, usage) = answer(&engine, &on);
        assert_eq!(tokens, oracle.answer(&engine, &on));
        assert!(usage.cached_tokens + 20 > usage.prompt_tokens - 10, "{usage:?}");
        // A cut: what the windows saw there may be gone, and is computed again.
        let cut = request(&engine, &(text(3, 60) + " " + &text(2, 10)), 40);
        assert_eq!(answer(&engine, &cut).0, oracle.answer(&engine, &cut));
    }
}

#[test]
fn evicted_pages_of_windowed_models_come_back_from_host_memory() {
    for model in models() {
        for device in [Device::Cpu, gpu()] {
            let engine = load(device, &model, &EngineOptions { host_cache_bytes: Some(1 << 26), ..options(1) });
            let requests: Vec<Request> = (0..3).map(|at| request(&engine, &text(at, 180), 30)).collect();
            let first: Vec<_> = requests.iter().map(|request| answer(&engine, request).0).collect();
            for (request, first) in requests.iter().zip(first) {
                let (again, usage) = answer(&engine, request);
                assert_eq!(again, first);
                assert!(usage.cached_tokens > 0, "{usage:?}");
            }
            assert!(engine.counts().loaded > 0);
        }
    }
}

/// A conversation's file, of all that was computed.
fn saved(engine: &Engine, request: &Request, said: &[u32]) -> Vec<u8> {
    let mut tokens = engine.prompt_tokens(request).expect("a good request");
    tokens.extend(said);
    let mut session = engine.save(&tokens, b"state");
    assert!(session.tokens() + 8 > tokens.len(), "{} of {}", session.tokens(), tokens.len());
    let mut file = Vec::new();
    while let Some(bytes) = block_on(session.next()).expect("reads") {
        file.extend(bytes);
    }
    file
}

#[test]
fn session_of_a_windowed_model_is_saved_without_what_lies_behind_its_windows() {
    let mut sizes = Vec::new();
    for model in [windowed(1), windowed(2), windowed(0), golden("sinks")] {
        for device in [Device::Cpu, gpu()] {
            let engine = load(device.client(), &model, &options(2));
            // What goes on from its end has all that it needs.
            let first = request(&engine, &text(3, 150), 1);
            let said = answer(&engine, &first).0;
            let file = saved(&engine, &first, &said);
            sizes.push(file.len());
            let on = request(&engine, &(text(3, 150) + " " + &text(1, 10)), 40);
            let (expected, _) = answer(&engine, &on);
            engine.close();

            let engine = load(device, &model, &options(2));
            engine.restore(&file).expect("its own file");
            let (found, usage) = answer(&engine, &on);
            assert_eq!(found, expected);
            assert!(usage.cached_tokens > 100, "{usage:?}");
        }
    }
    assert!(sizes[2] < sizes[0] && sizes[4] < sizes[2], "{sizes:?}");
}

#[test]
fn stored_pages_of_windowed_models_come_back_in_another_engine() {
    for model in models() {
        let folder = tempfile::tempdir().expect("a folder");
        let open = || {
            let store = Rc::new(FolderStore::open(folder.path(), 1 << 30).expect("opens"));
            load(Device::Cpu, &model, &EngineOptions { page_store: Some(store), ..options(2) })
        };
        let engine = open();
        let request = request(&engine, &text(4, 150), 30);
        let (first, _) = answer(&engine, &request);
        block_on(engine.store_pages()).expect("writes");
        engine.close();
        let engine = open();
        let (again, usage) = answer(&engine, &request);
        assert_eq!(again, first);
        assert!(usage.cached_tokens > 60, "{usage:?}");
    }
}
