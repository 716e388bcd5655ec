//! What a quantised key/value cache costs: ember's distributions over its evaluation's prompts, against an f16 cache.

use inglenook::device::Device;
use inglenook::engine::PromptBuilder;
use inglenook::engine::request::Request;
use inglenook::engine::score::{LogitsEvaluator, ScoreOptions};
use inglenook::format::gguf::Gguf;
use inglenook::kernels::kv::KvType;
use inglenook::plan::KernelCache;
use inglenook::source::Memory;
use pollster::block_on;
use serde_json::{Value, json};

use crate::EMBER;

const EVALUATION: &str = include_str!("../../../models/ember/eval.json");

/// Every how many of the evaluation's conversations one is taken.
const STRIDE: usize = 24;
/// Longest prompt, tokens. Longer ones are left out.
const CONTEXT: u32 = 256;

/// Token ids of the evaluation's prompts.
fn prompts() -> Vec<Vec<u32>> {
    let gguf = block_on(Gguf::read(&Memory(EMBER))).expect("ember's file");
    let prompts = PromptBuilder::from_gguf(&gguf.metadata).expect("ember's template");
    let evaluation: Value = serde_json::from_str(EVALUATION).expect("valid JSON");
    let cases = evaluation["cases"].as_array().expect("cases").iter().step_by(STRIDE);
    let tokens = cases.map(|case| {
        let request = Request::from_json(&json!({"messages": case["messages"]}).to_string()).expect("a request");
        prompts.tokens(&request).expect("renders")
    });
    tokens.filter(|tokens| tokens.len() <= CONTEXT as usize).collect()
}

/// Log-probabilities after each token of each prompt: `[prompts][positions][vocab]`.
fn log_probabilities(kv: KvType, prompts: &[Vec<u32>]) -> Vec<Vec<Vec<f64>>> {
    let options = ScoreOptions { chunk: CONTEXT, context: CONTEXT, kv };
    let scorer =
        block_on(LogitsEvaluator::load(KernelCache::new(Device::Cpu), &Memory(EMBER), options)).expect("loads");
    let vocab = scorer.model().config().vocab as usize;
    let normalised = |logits: &[f32]| {
        let highest = f64::from(logits.iter().copied().fold(f32::MIN, f32::max));
        let total: f64 = logits.iter().map(|logit| (f64::from(*logit) - highest).exp()).sum();
        logits.iter().map(|logit| f64::from(*logit) - highest - total.ln()).collect::<Vec<_>>()
    };
    let all = prompts.iter().map(|prompt| block_on(scorer.logits(prompt)).expect("computes"));
    all.map(|logits| logits.chunks_exact(vocab).map(normalised).collect()).collect()
}

/// Mean Kullback–Leibler divergence of `found` from `expected`, in nats a position, and the share of positions whose most
/// likely token is another.
fn compare(expected: &[Vec<Vec<f64>>], found: &[Vec<Vec<f64>>]) -> (f64, f64) {
    let pairs = || expected.iter().flatten().zip(found.iter().flatten());
    let best = |row: &[f64]| (0..row.len()).max_by(|a, b| row[*a].total_cmp(&row[*b]));
    let divergence: f64 = pairs().flat_map(|(p, q)| p.iter().zip(q)).map(|(p, q)| p.exp() * (p - q)).sum();
    let changed = pairs().filter(|(p, q)| best(p) != best(q)).count();
    let positions = pairs().count() as f64;
    (divergence / positions, changed as f64 / positions)
}

#[test]
fn quantised_cache_keeps_embers_distributions() {
    let prompts = prompts();
    let f16 = log_probabilities(KvType::F16, &prompts);
    for (ty, most) in [(KvType::F32, 1e-5), (KvType::Q8_0, 1e-3), (KvType::Q4_0, 0.2)] {
        let (divergence, changed) = compare(&f16, &log_probabilities(ty, &prompts));
        println!("{}: mean KL {divergence:.2e}, {:.2} % of tokens changed", ty.name(), changed * 100.0);
        assert!(divergence <= most, "{}: mean KL {divergence:.2e} above {most:e}", ty.name());
    }
}
