//! Real files, as people download them, against HF transformers in float32 on their dequantised weights: tokens, logits, greedy answers and
//! the perplexity of a text.
//!
//! The models are no part of the repository: `cargo xtask real-files` fetches them and runs this. What they shall answer stands in
//! `tests/goldens/real`.

use std::path::PathBuf;

use inglenook::Device;
use inglenook::engine::score::{LogitsEvaluator, ScoreOptions};
use inglenook::format::gguf::Gguf;
use inglenook::kernels::kv::KvType;
use inglenook::model::Model;
use inglenook::plan::KernelCache;
use inglenook::source::ReadAt;
use inglenook::text::{Special, Tokenizer};
use pollster::block_on;

/// Largest difference of a logit, as a share of the largest of its position.
const TOLERANCE: f32 = 2e-3;
/// Largest difference of a perplexity, as a share of the reference's.
const PERPLEXITY_TOLERANCE: f64 = 5e-3;
/// Tokens computed at once.
const CHUNK: u32 = 64;

/// What `tests/goldens/real.py` writes.
#[derive(serde::Deserialize)]
struct Reference {
    prompts: Vec<Prompt>,
    perplexity: Perplexity,
}

#[derive(serde::Deserialize)]
struct Prompt {
    text: String,
    tokens: Vec<u32>,
    greedy: Vec<u32>,
    /// The tokens whose logits are known.
    ids: Vec<usize>,
    logits: Vec<f32>,
}

#[derive(serde::Deserialize)]
struct Perplexity {
    tokens: Vec<u32>,
    loss: f64,
}

fn reference(name: &str) -> Reference {
    let path = PathBuf::from(env!("CARGO_MANIFEST_DIR")).join(format!("../tests/goldens/real/{name}.json"));
    serde_json::from_slice(&std::fs::read(path).expect("the reference")).expect("valid JSON")
}

/// A model of `cargo xtask real-files`.
fn file(name: &str) -> ReadAt<std::fs::File> {
    let folder = std::env::var_os("INGLENOOK_REAL_FILES").expect("INGLENOOK_REAL_FILES: run `cargo xtask real-files`");
    let path = PathBuf::from(folder).join(format!("{name}.gguf"));
    ReadAt::new(std::fs::File::open(&path).unwrap_or_else(|error| panic!("{}: {error}", path.display())))
        .expect("a file")
}

/// The model, with activations of the CPU rounded or left as they are.
fn evaluator(name: &str, exact: bool) -> LogitsEvaluator {
    let source = file(name);
    let gguf = block_on(Gguf::read(&source)).expect("a header");
    let context = 640;
    let model = block_on(Model::load(&gguf, &source, &Device::Cpu, context, &mut |_, _| true)).expect("loads");
    let mut kernels = KernelCache::new(Device::Cpu);
    kernels.set_exact_activations(exact);
    let options = ScoreOptions { chunk: CHUNK, context, kv: KvType::F32 };
    block_on(LogitsEvaluator::of_model(kernels, model, options)).expect("a plan")
}

/// The logits behind the last token, in order of the vocabulary.
fn last_logits(evaluator: &LogitsEvaluator, tokens: &[u32]) -> Vec<f32> {
    let logits = block_on(evaluator.logits(tokens)).expect("computes");
    logits[logits.len() - evaluator.model().config().vocab as usize..].to_vec()
}

/// Largest difference from the reference's, as a share of the largest of those.
fn difference(prompt: &Prompt, found: &[f32]) -> f32 {
    let scale = prompt.logits.iter().fold(0.0f32, |max, logit| max.max(logit.abs()));
    let worst = prompt.ids.iter().zip(&prompt.logits).map(|(id, logit)| (found[*id] - logit).abs());
    worst.fold(0.0, f32::max) / scale
}

fn best(logits: &[f32]) -> u32 {
    (0..logits.len()).max_by(|a, b| logits[*a].total_cmp(&logits[*b])).expect("not empty") as u32
}

/// Where the greedy tokens part from the reference's, if they do.
fn greedy_parts_at(evaluator: &LogitsEvaluator, prompt: &Prompt, mut logits: Vec<f32>) -> Option<usize> {
    for (step, expected) in prompt.greedy.iter().enumerate() {
        if best(&logits) != *expected {
            return Some(step);
        }
        let position = (prompt.tokens.len() + step) as u32;
        logits = block_on(evaluator.extend(position, &[*expected])).expect("computes");
    }
    None
}

/// The mean negative log-likelihood of all tokens but the first.
fn loss(evaluator: &LogitsEvaluator, tokens: &[u32]) -> f64 {
    let vocab = evaluator.model().config().vocab as usize;
    let mut sum = 0.0;
    for (chunk, first) in tokens.chunks(CHUNK as usize).zip((0..).step_by(CHUNK as usize)) {
        let logits = block_on(evaluator.extend(first as u32, chunk)).expect("computes");
        for (row, next) in logits.chunks(vocab).zip(&tokens[first + 1..]) {
            let largest = row.iter().copied().fold(f32::NEG_INFINITY, f32::max);
            let total: f64 = row.iter().map(|logit| f64::from((logit - largest).exp())).sum();
            sum += total.ln() + f64::from(largest) - f64::from(row[*next as usize]);
        }
    }
    sum / (tokens.len() - 1) as f64
}

fn check(name: &str) {
    let reference = reference(name);
    let gguf = block_on(Gguf::read(&file(name))).expect("a header");
    let tokenizer = Tokenizer::from_gguf(&gguf.metadata).expect("a tokenizer");
    for Prompt { text, tokens, .. } in &reference.prompts {
        assert_eq!(
            tokenizer.encode(text, Special::AsText, tokenizer.adds_bos()),
            *tokens,
            "{name}: tokens of {text:?}"
        );
    }
    for exact in [false, true] {
        let evaluator = evaluator(name, exact);
        let activations = if exact { "exact" } else { "rounded" };
        let mut worst = 0.0f32;
        for prompt in &reference.prompts {
            let logits = last_logits(&evaluator, &prompt.tokens);
            worst = worst.max(difference(prompt, &logits));
            let parts = greedy_parts_at(&evaluator, prompt, logits);
            assert_eq!(parts, None, "{name}, {activations} activations: greedy tokens of {:?} part", prompt.text);
        }
        let found = loss(&evaluator, &reference.perplexity.tokens).exp();
        let expected = reference.perplexity.loss.exp();
        println!(
            "{name}, {activations} activations: logits of {} prompts within {worst:.1e}, {} greedy tokens each the same, \
             perplexity {found:.4} for {expected:.4} ({:+.3} %)",
            reference.prompts.len(),
            reference.prompts[0].greedy.len(),
            (found / expected - 1.0) * 100.0
        );
        assert!(worst <= TOLERANCE, "{name}, {activations} activations: logits differ by {worst:.1e} of the largest");
        assert!((found / expected - 1.0).abs() <= PERPLEXITY_TOLERANCE, "{name}: perplexity {found} for {expected}");
    }
}

#[test]
#[ignore = "needs a model: cargo xtask real-files"]
fn smollm2_answers_as_transformers_does() {
    check("smollm2-135m-q4_1");
}

#[test]
#[ignore = "needs a model: cargo xtask real-files"]
fn gemma3_answers_as_transformers_does() {
    check("gemma-3-270m-q4_k_m");
}
