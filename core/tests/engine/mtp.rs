//! Drafts by a layer of the model itself (MTP): its logits are the reference's, and drafts change no token.

use std::path::PathBuf;

use futures_util::future::join_all;
use inglenook::Device;
use inglenook::engine::event::Usage;
use inglenook::engine::request::Request;
use inglenook::engine::score::{LogitsEvaluator, ScoreOptions};
use inglenook::engine::{Engine, EngineOptions, Model, ModelOptions};
use inglenook::format::gguf::Gguf;
use inglenook::gpu::Limits;
use inglenook::kernels::kv::KvType;
use inglenook::model::FitOptions;
use inglenook::plan::KernelCache;
use inglenook::source::Memory;
use pollster::block_on;
use serde_json::{Value, json};

use crate::adapters::{adapter, with};
use crate::oracle::{Oracle, answer, golden, load, options, read, request, text, text_of};
use crate::{gpu, gpu_as_hardware};

/// As for the logits of whole models: a share of the largest logit of a position.
const TOLERANCE: f32 = 1e-3;

/// With random weights, so that hardly a draft is accepted.
const RANDOM: [&str; 3] = ["qwen35", "qwen35moe", "glm4moe"];
/// Whose MTP layers mostly say what they say themselves.
const AGREEING: [&str; 2] = ["qwen35-agreeing", "glm4moe-agreeing"];

pub fn bytes(name: &str) -> Vec<u8> {
    let folder = PathBuf::from(env!("CARGO_MANIFEST_DIR")).join("../tests/goldens/mtp");
    std::fs::read(folder.join(name)).unwrap_or_else(|error| panic!("{name}: {error}"))
}

fn checkpoint(name: &str) -> Vec<u8> {
    bytes(&format!("{name}.gguf"))
}

/// Drafts as much as can be.
fn drafting(slots: u32) -> EngineOptions {
    EngineOptions { mtp: true, free_drafts: true, ..options(slots) }
}

/// With drafts by MTP and without any.
fn engines(device: &Device, name: &str, slots: u32) -> [Engine; 2] {
    let plain = EngineOptions { no_speculation: true, ..options(slots) };
    [drafting(slots), plain].map(|options| load(device.clone(), &checkpoint(name), &options))
}

pub fn request_with(engine: &Engine, prompt: &str, fields: &Value) -> Request {
    let never = engine.tokenizer().stop_ids().iter().map(|id| (id.to_string(), json!(-100)));
    let bias = serde_json::Map::from_iter(never);
    let all = json!({"prompt": prompt, "temperature": 0, "max_tokens": 60, "logit_bias": bias});
    crate::support::request(all, fields.clone())
}

fn check_logits(name: &str, device: Device, chunk: u32) {
    let json: Value = serde_json::from_slice(&bytes(&format!("{name}.json"))).expect("valid JSON");
    let prompt: Vec<u32> = serde_json::from_value(json["prompt"].clone()).expect("token ids");
    let expected: Vec<f32> = bytemuck::pod_collect_to_vec(&bytes(&format!("{name}.logits.f32")));
    let options = ScoreOptions { chunk, context: 128, kv: KvType::F32 };
    let file = Memory(checkpoint(name));
    let scorer = block_on(LogitsEvaluator::load_mtp(KernelCache::new(device), &file, options)).expect("loads");
    let logits = block_on(scorer.logits(&prompt)).expect("computes");
    let vocab = scorer.model().config().vocab as usize;
    assert_eq!(expected.len(), (prompt.len() - 1) * vocab);
    for (position, (found, expected)) in logits[vocab..].chunks(vocab).zip(expected.chunks(vocab)).enumerate() {
        let largest = expected.iter().fold(0.0f32, |max, v| max.max(v.abs()));
        let worst = expected.iter().zip(found).map(|(e, f)| (e - f).abs()).fold(0.0, f32::max);
        let is_near = found.iter().all(|v| v.is_finite()) && worst <= TOLERANCE * largest;
        assert!(is_near, "{name} in chunks of {chunk}: position {} differs by {worst} of {largest}", position + 1);
    }
}

#[test]
fn mtp_logits_equal_the_reference() {
    for name in RANDOM.into_iter().chain(AGREEING) {
        [200, 32, 1].into_iter().for_each(|chunk| check_logits(name, Device::Cpu, chunk));
    }
    for name in ["qwen35", "glm4moe"] {
        check_logits(name, gpu(), 32);
        check_logits(name, gpu_as_hardware(), 1);
    }
}

/// Answers of the two to one request are the same; tokens drafted, and accepted of them.
pub fn compare([drafting, plain]: &[Engine; 2], request: &Request) -> Usage {
    let (found, usage) = answer(drafting, request);
    let (expected, _) = answer(plain, request);
    assert_eq!(found, expected);
    usage
}

#[test]
fn mtp_changes_no_token() {
    let fields = [
        json!({}),
        json!({"temperature": 0.9, "seed": 5, "frequency_penalty": 0.4}),
        json!({"temperature": 1.3, "seed": 6, "top_k": 5}),
        json!({"temperature": 1.0, "seed": 8, "repetition_penalty": 1.2}),
        json!({"max_tokens": 2}),
    ];
    for name in RANDOM.into_iter().chain(AGREEING) {
        let engines = engines(&Device::Cpu, name, 1);
        let mut sum = (0, 0);
        for (at, fields) in fields.iter().enumerate() {
            let prompt = text_of(&engines[0], at, 40);
            let usage = compare(&engines, &request_with(&engines[0], &prompt, fields));
            sum = (sum.0 + usage.drafted_tokens, sum.1 + usage.accepted_tokens);
        }
        assert!(sum.0 > 40, "{name}: {sum:?}");
        let metrics = engines[0].metrics();
        assert_eq!((metrics.drafted_tokens, metrics.accepted_tokens), (sum.0.into(), sum.1.into()), "{name}");
    }
}

#[test]
fn mtp_that_agrees_is_accepted() {
    for device in [Device::Cpu, gpu()] {
        for name in AGREEING {
            let engines = engines(&device, name, 1);
            let usage = compare(&engines, &request(&engines[0], "one", 100));
            assert!(usage.accepted_tokens > 30 && usage.accepted_tokens < usage.drafted_tokens, "{name}: {usage:?}");
        }
    }
}

/// Before and behind the plans that are made anew for them.
#[test]
fn mtp_changes_no_token_of_answers_with_adapters() {
    for name in AGREEING {
        let engines = engines(&Device::Cpu, name, 1);
        let plain = request(&engines[0], "one", 60);
        compare(&engines, &plain);
        // The other has no such layer to change.
        let adapter = adapter(&engines[1], 1, 4, &["attn_q", "attn_output", "ffn_up", "ffn_down"]);
        for engine in &engines {
            block_on(engine.load_adapter("a", &adapter)).expect("loads");
        }
        for scale in [0.05, 1.0] {
            let usage = compare(&engines, &with(&plain, &[("a", scale)]));
            assert!(usage.drafted_tokens > 0, "{name}: {usage:?}");
        }
    }
}

#[test]
fn mtp_changes_no_token_of_a_batch_and_of_what_goes_on_behind_its_prefixes() {
    for name in RANDOM.into_iter().chain(AGREEING) {
        let engines = engines(&Device::Cpu, name, 3);
        let beginning = text_of(&engines[0], 1, 70);
        let requests = [0, 1, 2].map(|at| request(&engines[0], &format!("{beginning} {}", text(at, 5 + at)), 40));
        let found =
            block_on(join_all(requests.iter().map(|request| read(engines[0].submit(request.clone()).expect("good")))));
        for ((tokens, _), request) in found.iter().zip(&requests) {
            assert_eq!(*tokens, answer(&engines[1], request).0, "{name}");
        }
        // Alone, behind what stands of another.
        let usage = compare(&engines, &request(&engines[0], &format!("{beginning} {}", text(4, 6)), 60));
        assert!(usage.cached_tokens >= 32 && usage.drafted_tokens > 0, "{name}: {usage:?}");
        if AGREEING.contains(&name) {
            assert!(usage.accepted_tokens > 10, "{name}: {usage:?}");
        }
    }
}

#[test]
fn mtp_changes_no_token_of_answers_that_are_preempted() {
    for name in ["qwen35-agreeing", "glm4moe"] {
        let engine = load(Device::Cpu, &checkpoint(name), &drafting(4));
        let oracle = Oracle::new(&checkpoint(name), &engine);
        let requests: Vec<Request> = (0..5).map(|at| request(&engine, &text_of(&engine, at, 120), 220)).collect();
        let answers = requests.iter().map(|request| read(engine.submit(request.clone()).expect("good")));
        for ((tokens, _), request) in block_on(join_all(answers)).iter().zip(&requests) {
            assert_eq!(*tokens, oracle.answer(&engine, request), "{name}");
        }
    }
}

#[test]
fn mtp_goes_on_from_a_session() {
    let file = checkpoint("glm4moe-agreeing");
    let engine = load(Device::Cpu, &file, &drafting(1));
    let first = request(&engine, &text_of(&engine, 3, 100), 1);
    let mut tokens = engine.prompt_tokens(&first).expect("a good request");
    tokens.extend(answer(&engine, &first).0);
    let mut session = engine.save(&tokens, b"state");
    let mut saved = Vec::new();
    while let Some(bytes) = block_on(session.next()).expect("reads") {
        saved.extend(bytes);
    }
    let on = request(&engine, &(text_of(&engine, 3, 100) + " " + &text(1, 5)), 60);
    let (expected, _) = answer(&engine, &on);
    let engine = load(Device::Cpu, &file, &drafting(1));
    engine.restore(&saved).expect("its own file");
    let (found, usage) = answer(&engine, &on);
    assert_eq!(found, expected);
    assert!(usage.cached_tokens >= 64 && usage.accepted_tokens > 10, "{usage:?}");
}

#[test]
fn mtp_makes_no_gpu_objects_while_it_drafts() {
    drafts_without_new_objects(&load(gpu(), &checkpoint("qwen35-agreeing"), &drafting(1)));
}

/// Once there are plans, an answer with drafts makes no GPU objects.
pub fn drafts_without_new_objects(engine: &Engine) {
    let ask = |at| answer(engine, &request(engine, &text_of(engine, at, 10), 40)).1;
    let _ = (ask(0), ask(1));
    let before = engine.counters();
    let usage = ask(2);
    assert!(usage.drafted_tokens > 0);
    let spent = engine.counters().since(&before);
    assert_eq!(spent.objects(), 0, "{spent:?}");
}

#[test]
fn mtp_memory_is_known_from_the_header() {
    let file = Memory(checkpoint("qwen35"));
    let gguf = block_on(Gguf::read(&file)).expect("a sound header");
    let fit = |mtp| FitOptions { context: 400, cache_tokens: 400, slots: 1, kv: KvType::F32, rows: 256, mtp };
    let needs = [false, true]
        .map(|mtp| inglenook::model::Model::memory_needed(&gguf, &Limits::DEFAULT, &fit(mtp)).expect("sizes that fit"));
    assert!(needs[1].weights > needs[0].weights && needs[1].kv_per_token == 2 * needs[0].kv_per_token, "{needs:?}");
    // Of each position the hidden state is kept for the next.
    assert!(needs[1].kv_windows > needs[0].kv_windows, "{needs:?}");
    for (mtp, needs) in [false, true].into_iter().zip(needs) {
        let engine = load(Device::Cpu, &file.0, &EngineOptions { mtp, ..options(1) });
        assert_eq!(engine.info().memory.weights, needs.weights, "mtp {mtp}");
    }
}

#[test]
fn mtp_is_refused_by_name_where_there_is_none() {
    let refused = |file: &[u8], options: &EngineOptions| {
        let error = block_on(Engine::load(Device::Cpu, &Memory(file), options, &mut |_| true)).expect_err("no MTP");
        assert_eq!(error.code(), "Unsupported");
        error.to_string()
    };
    let said = refused(&golden("qwen35"), &drafting(1));
    assert!(said.contains("`qwen35.nextn_predict_layers` is 0"), "{said}");
    let said = refused(&golden("llama"), &drafting(1));
    assert!(said.contains("MTP layers of the architecture `llama`"), "{said}");
    let model = |file: Vec<u8>| {
        let options = ModelOptions { context: Some(64), ..ModelOptions::default() };
        block_on(Model::load(Device::Cpu, &Memory(file), &options, &mut |_| true)).expect("a sound file")
    };
    let both = EngineOptions { draft: Some(model(golden("glm4moe"))), ..drafting(1) };
    let said = refused(&checkpoint("glm4moe"), &both);
    assert!(said.contains("leave one of them out"), "{said}");
    let error = block_on(Engine::new(model(checkpoint("qwen35")), &drafting(1))).expect_err("it was not loaded");
    assert!(error.to_string().contains("loaded without its MTP layer"), "{error}");
}
