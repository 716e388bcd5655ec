//! Drafts by Gemma 4's drafters, which read the model's own keys and values: their logits are the reference's, and drafts change no token.

use futures_util::future::join_all;
use inglenook::Device;
use inglenook::engine::embedder::{Embedder, EmbedderOptions};
use inglenook::engine::request::Request;
use inglenook::engine::score::{LogitsEvaluator, ScoreOptions};
use inglenook::engine::{Engine, EngineOptions, Loaded, Model, ModelOptions};
use inglenook::kernels::kv::KvType;
use inglenook::plan::KernelCache;
use inglenook::source::Memory;
use pollster::block_on;
use serde_json::{Value, json};

use crate::adapters::{adapter, with};
use crate::mtp::{bytes, compare, drafts_without_new_objects, request_with};
use crate::oracle::{Oracle, answer, golden, load, options, read, request, text, text_of};
use crate::{gpu, gpu_as_hardware};

/// As for the logits of whole models: a share of the largest logit of a position.
const TOLERANCE: f32 = 1e-3;

/// A model and its drafter: one that hardly says the same with `gemma4`, and one that mostly does.
fn pair(name: &str) -> [Vec<u8>; 2] {
    let model = if name == "gemma4" { golden(name) } else { bytes(&format!("{name}.gguf")) };
    [model, bytes(&format!("{name}-assistant.gguf"))]
}

fn model(device: &Device, file: &[u8]) -> Model {
    let options = ModelOptions { context: Some(400), ..ModelOptions::default() };
    block_on(Model::load(device.clone(), &Memory(file), &options, &mut |_| true)).expect("a sound file")
}

/// Drafts as much as can be.
fn drafting(device: &Device, drafter: &[u8], slots: u32) -> EngineOptions {
    EngineOptions { draft: Some(model(device, drafter)), free_drafts: true, ..options(slots) }
}

/// With drafts and without any.
fn engines(device: &Device, name: &str, slots: u32) -> [Engine; 2] {
    let [file, drafter] = pair(name);
    let plain = EngineOptions { no_speculation: true, ..options(slots) };
    [drafting(device, &drafter, slots), plain].map(|options| load(device.clone(), &file, &options))
}

fn check_logits(name: &str, device: Device, chunk: u32) {
    let json: Value = serde_json::from_slice(&bytes(&format!("{name}-assistant.json"))).expect("valid JSON");
    let read = |key: &str| json[key].clone();
    let prompt: Vec<u32> = serde_json::from_value(read("prompt")).expect("token ids");
    let positions: Vec<u32> = serde_json::from_value(read("positions")).expect("positions");
    let tokens: Vec<Vec<u32>> = serde_json::from_value(read("tokens")).expect("token ids");
    let expected: Vec<f32> = bytemuck::pod_collect_to_vec(&bytes(&format!("{name}-assistant.logits.f32")));
    let options = ScoreOptions { chunk, context: 128, kv: KvType::F32 };
    let [file, drafter] = pair(name).map(Memory);
    let evaluator =
        block_on(LogitsEvaluator::load_beside(KernelCache::new(device), [&file, &drafter], options)).expect("loads");
    block_on(evaluator.logits(&prompt)).expect("computes");
    let vocab = evaluator.model().config().vocab as usize;
    let steps = tokens[0].len();
    assert_eq!(expected.len(), positions.len() * steps * vocab);
    // The last first, since a draft takes the place of what is kept behind its beginning.
    for (at, position) in positions.iter().enumerate().rev() {
        let newest = [&[prompt[*position as usize]], &tokens[at][..]].concat();
        for (step, token) in (0..).zip(&newest[..steps]) {
            let found = block_on(evaluator.draft_logits(position + step, &[*token], step)).expect("computes");
            let expected = &expected[(at * steps + step as usize) * vocab..][..vocab];
            let largest = expected.iter().fold(0.0f32, |max, v| max.max(v.abs()));
            let worst = expected.iter().zip(&found).map(|(e, f)| (e - f).abs()).fold(0.0, f32::max);
            let is_near = found.iter().all(|v| v.is_finite()) && worst <= TOLERANCE * largest;
            assert!(
                is_near,
                "{name} in chunks of {chunk}: step {step} behind {position} differs by {worst} of {largest}"
            );
        }
    }
}

#[test]
fn assistant_logits_equal_the_reference() {
    for name in ["gemma4", "gemma4-agreeing"] {
        [128, 32, 1].into_iter().for_each(|chunk| check_logits(name, Device::Cpu, chunk));
    }
    check_logits("gemma4", gpu(), 32);
    check_logits("gemma4", gpu_as_hardware(), 1);
}

#[test]
fn assistant_changes_no_token() {
    let fields = [
        json!({}),
        json!({"temperature": 0.9, "seed": 5, "frequency_penalty": 0.4}),
        json!({"temperature": 1.3, "seed": 6, "top_k": 5}),
        json!({"max_tokens": 2}),
    ];
    for name in ["gemma4", "gemma4-agreeing"] {
        let engines = engines(&Device::Cpu, name, 1);
        let mut drafted = 0;
        for (at, fields) in fields.iter().enumerate() {
            let prompt = text_of(&engines[0], at, 40);
            drafted += compare(&engines, &request_with(&engines[0], &prompt, fields)).drafted_tokens;
        }
        assert!(drafted > 40, "{name}: {drafted}");
    }
}

#[test]
fn assistant_that_agrees_is_accepted() {
    for device in [Device::Cpu, gpu()] {
        let engines = engines(&device, "gemma4-agreeing", 1);
        let usage = compare(&engines, &request(&engines[0], "one", 100));
        assert!(usage.accepted_tokens > 30, "{usage:?}");
    }
}

#[test]
fn assistant_changes_no_token_of_a_batch_and_of_what_goes_on_behind_its_prefixes() {
    let engines = engines(&Device::Cpu, "gemma4-agreeing", 3);
    let beginning = text_of(&engines[0], 1, 70);
    let requests = [0, 1, 2].map(|at| request(&engines[0], &format!("{beginning} {}", text(at, 5 + at)), 40));
    let found =
        block_on(join_all(requests.iter().map(|request| read(engines[0].submit(request.clone()).expect("good")))));
    for ((tokens, _), request) in found.iter().zip(&requests) {
        assert_eq!(*tokens, answer(&engines[1], request).0);
    }
    // Alone, behind what stands of another.
    let usage = compare(&engines, &request(&engines[0], &format!("{beginning} {}", text(4, 6)), 60));
    assert!(usage.cached_tokens >= 32 && usage.accepted_tokens > 10, "{usage:?}");
    let plain = request(&engines[0], "two", 60);
    let adapter = adapter(&engines[1], 1, 4, &["attn_q", "attn_output", "ffn_up", "ffn_down"]);
    for engine in &engines {
        block_on(engine.load_adapter("a", &adapter)).expect("loads");
    }
    let usage = compare(&engines, &with(&plain, &[("a", 0.05)]));
    assert!(usage.drafted_tokens > 0, "{usage:?}");
}

#[test]
fn assistant_changes_no_token_of_answers_that_are_preempted() {
    let [file, drafter] = pair("gemma4-agreeing");
    let engine = load(Device::Cpu, &file, &drafting(&Device::Cpu, &drafter, 4));
    let oracle = Oracle::new(&file, &engine);
    let requests: Vec<Request> = (0..5).map(|at| request(&engine, &text_of(&engine, at, 120), 220)).collect();
    let answers = requests.iter().map(|request| read(engine.submit(request.clone()).expect("good")));
    for ((tokens, _), request) in block_on(join_all(answers)).iter().zip(&requests) {
        assert_eq!(*tokens, oracle.answer(&engine, request));
    }
}

#[test]
fn assistant_makes_no_gpu_objects_while_it_drafts() {
    let [file, drafter] = pair("gemma4-agreeing");
    let device = gpu();
    drafts_without_new_objects(&load(device.clone(), &file, &drafting(&device, &drafter, 1)));
}

#[test]
fn assistant_that_ends_before_the_context_drafts_as_far_as_it_goes() {
    let [file, drafter] = pair("gemma4-agreeing");
    let short = ModelOptions { context: Some(64), ..ModelOptions::default() };
    let draft = block_on(Model::load(Device::Cpu, &Memory(&drafter), &short, &mut |_| true)).expect("a sound file");
    let with_draft = EngineOptions { draft: Some(draft), free_drafts: true, ..options(1) };
    let plain = EngineOptions { no_speculation: true, ..options(1) };
    let engines = [with_draft, plain].map(|options| load(Device::Cpu, &file, &options));
    let usage = compare(&engines, &request(&engines[0], "one", 150));
    assert!(usage.drafted_tokens > 0, "{usage:?}");
}

#[test]
fn assistant_is_refused_by_name_where_it_does_not_belong() {
    let [file, drafter] = pair("gemma4-agreeing");
    let loaded = block_on(Engine::load(Device::Cpu, &Memory(&drafter), &options(1), &mut |_| true));
    let error = loaded.expect_err("it is no model");
    assert_eq!(error.code(), "Unsupported");
    assert!(error.to_string().contains("drafts for another"), "{error}");
    let loaded = block_on(Loaded::load(Device::Cpu, &Memory(&drafter), &options(1), &mut |_| true));
    assert!(loaded.expect_err("it is no model").to_string().contains("drafts for another"));
    let loaded = block_on(Embedder::load(Device::Cpu, &Memory(&drafter), &EmbedderOptions::default(), &mut |_| true));
    assert!(loaded.expect_err("it is no model").to_string().contains("drafts for another"));
    let refused = |file: &[u8], drafter: &[u8]| {
        let options = drafting(&Device::Cpu, drafter, 1);
        block_on(Engine::load(Device::Cpu, &Memory(file), &options, &mut |_| true))
            .expect_err("it does not fit")
            .to_string()
    };
    let said = refused(&golden("qwen35"), &drafter);
    assert!(said.contains("drafts for a `gemma4`"), "{said}");
    let elsewhere = [(Device::Cpu, gpu()), (gpu(), Device::Cpu), (gpu(), gpu())];
    for (device, of_drafter) in elsewhere {
        let options = drafting(&of_drafter, &drafter, 1);
        let error = block_on(Engine::load(device, &Memory(&file), &options, &mut |_| true)).expect_err("not there");
        assert!(error.to_string().contains("same device"), "{error}");
    }
    let mtp = EngineOptions { mtp: true, ..options(1) };
    let error = block_on(Engine::load(Device::Cpu, &Memory(&file), &mtp, &mut |_| true)).expect_err("no layer");
    assert!(error.to_string().contains("MTP layers of the architecture `gemma4`"), "{error}");
}
