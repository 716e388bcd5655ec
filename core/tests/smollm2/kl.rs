//! What the CPU's fast kernels, which round a prompt's activations to 16 bits, cost: distributions over ordinary text, against the twins.

use inglenook::Device;
use inglenook::engine::score::{LogitsEvaluator, ScoreOptions};
use inglenook::format::gguf::Gguf;
use inglenook::kernels::Variant;
use inglenook::kernels::kv::KvType;
use inglenook::plan::KernelCache;
use inglenook::text::{Special, Tokenizer};
use pollster::block_on;

use crate::model;

/// Prose of several kinds, and code.
const TEXT: [&str; 2] =
    [include_str!("../../../tests/goldens/generator/corpus.txt"), include_str!("../../../README.md")];
const TOKENS: usize = 2000;
const CHUNK: u32 = 100;
/// Most divergence, nats a position.
const MOST: f64 = 1e-3;

fn evaluator(kernels: KernelCache) -> LogitsEvaluator {
    let options = ScoreOptions { chunk: CHUNK, context: TOKENS as u32, kv: KvType::F32 };
    block_on(LogitsEvaluator::load(kernels, &model(), options)).expect("loads")
}

/// Log-probabilities of logits.
fn normalised(logits: &[f32]) -> Vec<f64> {
    let highest = f64::from(logits.iter().copied().fold(f32::MIN, f32::max));
    let total: f64 = logits.iter().map(|logit| (f64::from(*logit) - highest).exp()).sum();
    logits.iter().map(|logit| f64::from(*logit) - highest - total.ln()).collect()
}

#[test]
#[ignore = "needs a model: cargo xtask smollm2"]
fn fast_kernels_keep_the_distributions_of_the_twins() {
    let gguf = block_on(Gguf::read(&model())).expect("a header");
    let tokenizer = Tokenizer::from_gguf(&gguf.metadata).expect("its tokenizer");
    let mut tokens = tokenizer.encode(&TEXT.concat(), Special::AsText, false);
    assert!(tokens.len() >= TOKENS, "the text has {} tokens", tokens.len());
    tokens.truncate(TOKENS);
    let twins = evaluator(KernelCache::new(Device::Cpu).force(Variant::Plain));
    let fast = evaluator(KernelCache::new(Device::Cpu));
    let vocab = twins.model().config().vocab as usize;
    let (mut divergence, mut worst, mut other_best) = (0.0, 0.0f64, 0);
    for (chunk, first) in tokens.chunks(CHUNK as usize).zip((0..).step_by(CHUNK as usize)) {
        let [expected, found] = [&twins, &fast].map(|by| block_on(by.extend(first, chunk)).expect("computes"));
        for (expected, found) in expected.chunks_exact(vocab).zip(found.chunks_exact(vocab)) {
            let (p, q) = (normalised(expected), normalised(found));
            let of_position: f64 = p.iter().zip(&q).map(|(p, q)| p.exp() * (p - q)).sum();
            let best = |row: &[f64]| (0..row.len()).max_by(|a, b| row[*a].total_cmp(&row[*b]));
            divergence += of_position;
            worst = worst.max(of_position);
            other_best += usize::from(best(&p) != best(&q));
        }
    }
    let mean = divergence / tokens.len() as f64;
    println!("mean KL {mean:.2e}, worst {worst:.2e} nats; {other_best} of {TOKENS} positions have another best token");
    assert!(mean <= MOST, "mean KL {mean:.2e} above {MOST:e}");
}
