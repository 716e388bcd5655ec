//! Every architecture in the engine: three answers at once, a prompt that goes on from another's, and one that goes back behind it.

use inglenook::Device;
use inglenook::engine::EngineOptions;
use inglenook::engine::request::Request;
use pollster::block_on;
use serde_json::json;

use crate::gpu;
use crate::model_goldens::names;
use crate::oracle::{Oracle, answer, golden, load, options, read, request, text, text_of};

fn answers_equal_those_of_the_model_alone(name: &str, device: Device) {
    let model = golden(name);
    let engine = load(device, &model, &EngineOptions { host_cache_bytes: Some(1 << 26), ..options(3) });
    let oracle = Oracle::new(&model, &engine);
    let first = text_of(&engine, 1, 130);
    let prompts = [first.clone(), text_of(&engine, 2, 100) + " " + &text(1, 5), text_of(&engine, 2, 120)];
    let requests: Vec<Request> = prompts.iter().map(|prompt| request(&engine, prompt, 40)).collect();
    let answers = requests.iter().map(|request| read(engine.submit(request.clone()).expect("good")));
    for ((tokens, _), request) in block_on(futures_util::future::join_all(answers)).iter().zip(&requests) {
        assert_eq!(*tokens, oracle.answer(&engine, request), "{name}");
    }
    let on = request(&engine, &(first + " " + &text(3, 5)), 20);
    let (tokens, usage) = answer(&engine, &on);
    assert_eq!(tokens, oracle.answer(&engine, &on), "{name}");
    assert!(usage.cached_tokens >= 64, "{name} shares a prefix: {usage:?}");
    let back = request(&engine, &(text_of(&engine, 1, 90) + " " + &text(4, 5)), 20);
    assert_eq!(answer(&engine, &back).0, oracle.answer(&engine, &back), "{name}");
}

#[test]
fn architectures_answer_in_batches_with_prefixes_and_rewinds_on_the_cpu() {
    names().iter().for_each(|name| answers_equal_those_of_the_model_alone(name, Device::Cpu));
}

/// The recurrent ones; with `INGLENOOK_FULL=1` all.
#[test]
fn architectures_answer_in_batches_with_prefixes_and_rewinds_on_the_gpu() {
    let is_full = std::env::var_os("INGLENOOK_FULL").is_some();
    let recurrent = ["qwen35", "granitehybrid", "nemotron_h", "falcon-h1", "lfm2"];
    for name in names().iter().filter(|name| is_full || recurrent.contains(&name.as_str())) {
        answers_equal_those_of_the_model_alone(name, gpu());
    }
}

/// Answers of three tokens alone repeat themselves now and then, and then do not.
#[test]
fn architectures_whose_drafts_are_refused_go_on_as_they_would_have() {
    const TOKENS: [u32; 3] = [62, 111, 179];
    let mut refused = 0;
    for name in ["qwen35", "granitehybrid", "falcon-h1", "lfm2", "llama"] {
        let model = golden(name);
        let engine = load(Device::Cpu, &model, &EngineOptions { free_drafts: true, ..options(1) });
        let mut oracle = Oracle::new(&model, &engine);
        oracle.never = (0..engine.tokenizer().vocab_size() as u32).filter(|token| !TOKENS.contains(token)).collect();
        for seed in 0..3 {
            let bias = TOKENS.map(|token| (token.to_string(), json!(100)));
            let request = json!({
                "prompt": text_of(&engine, seed, 100),
                "temperature": 0,
                "max_tokens": 200,
                "logit_bias": serde_json::Map::from_iter(bias),
            });
            let request = Request::from_json(&request.to_string()).expect("a request");
            let (tokens, usage) = answer(&engine, &request);
            assert_eq!(tokens, oracle.answer(&engine, &request), "{name}");
            refused += usage.drafted_tokens - usage.accepted_tokens;
        }
    }
    assert!(refused > 0);
}
