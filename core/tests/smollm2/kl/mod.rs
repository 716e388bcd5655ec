//! What rounding activations costs on the CPU, for each type of weights: distributions over ordinary text, against those of the twins, which
//! compute in f32. Where weights have blocks, inglenook's fast kernels round to 16 bits and llama.cpp to 8; both read the same file.

mod llama_cpp;
mod weights;

use std::fmt;
use std::fs::File;
use std::path::Path;

use inglenook::Device;
use inglenook::engine::score::{LogitsEvaluator, ScoreOptions};
use inglenook::format::gguf::Gguf;
use inglenook::kernels::Variant;
use inglenook::kernels::kv::KvType;
use inglenook::plan::KernelCache;
use inglenook::source::ReadAt;
use inglenook::text::{Special, Tokenizer};
use pollster::block_on;

use crate::model;
use llama_cpp::LlamaCpp;

/// Prose of several kinds, and code.
const TEXT: [&str; 2] =
    [include_str!("../../../../tests/goldens/generator/corpus.txt"), include_str!("../../../../README.md")];
const TOKENS: usize = 2000;
const CHUNK: usize = 100;
/// Tokens of a greedy answer.
const ANSWER: usize = 64;
/// Most mean divergence, nats a position.
const MOST: f64 = 1e-3;
/// Most mean divergence as a share of llama.cpp's.
const MOST_OF_THEIRS: f64 = 0.5;

/// How far distributions are from those of the twins.
#[derive(Default)]
struct Divergence {
    /// Kullback-Leibler, nats, over all positions.
    total: f64,
    worst: f64,
    /// Positions at which another token is the likeliest.
    other_best: usize,
}

impl Divergence {
    /// Adds a position: log-probabilities of the twins, and logits.
    fn add(&mut self, expected: &[f64], logits: &[f32]) {
        let found = normalised(logits);
        let divergence: f64 = expected.iter().zip(&found).map(|(p, q)| p.exp() * (p - q)).sum();
        let best = |row: &[f64]| (0..row.len()).max_by(|a, b| row[*a].total_cmp(&row[*b]));
        self.total += divergence;
        self.worst = self.worst.max(divergence);
        self.other_best += usize::from(best(expected) != best(&found));
    }

    fn mean(&self) -> f64 {
        self.total / TOKENS as f64
    }
}

impl fmt::Display for Divergence {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{:<8.2e} ({:>7.1e}) {:>4}", self.mean(), self.worst, self.other_best)
    }
}

/// Log-probabilities of logits.
fn normalised(logits: &[f32]) -> Vec<f64> {
    let highest = f64::from(logits.iter().copied().fold(f32::MIN, f32::max));
    let total: f64 = logits.iter().map(|logit| (f64::from(*logit) - highest).exp()).sum();
    logits.iter().map(|logit| f64::from(*logit) - highest - total.ln()).collect()
}

fn text() -> Vec<u32> {
    let gguf = block_on(Gguf::read(&model())).expect("a header");
    let tokenizer = Tokenizer::from_gguf(&gguf.metadata).expect("its tokenizer");
    let mut tokens = tokenizer.encode(&TEXT.concat(), Special::AsText, false);
    assert!(tokens.len() >= TOKENS, "the text has {} tokens", tokens.len());
    tokens.truncate(TOKENS);
    tokens
}

fn evaluator(kernels: KernelCache, file: &Path) -> LogitsEvaluator {
    let options = ScoreOptions { chunk: CHUNK as u32, context: TOKENS as u32, kv: KvType::F32 };
    let source = ReadAt::new(File::open(file).expect("a model")).expect("a file");
    block_on(LogitsEvaluator::load(kernels, &source, options)).expect("loads")
}

/// Divergences of inglenook and of llama.cpp.
fn measure(file: &Path, tokens: &[u32], theirs: &mut LlamaCpp) -> [Divergence; 2] {
    let twins = evaluator(KernelCache::new(Device::Cpu).force(Variant::Plain), file);
    let fast = evaluator(KernelCache::new(Device::Cpu), file);
    let vocab = twins.model().config().vocab as usize;
    let mut divergences = <[Divergence; 2]>::default();
    for (chunk, first) in tokens.chunks(CHUNK).zip((0..).step_by(CHUNK)) {
        let [expected, ours] = [&twins, &fast].map(|by| block_on(by.extend(first, chunk)).expect("computes"));
        let theirs = theirs.logits(chunk.len() * vocab);
        for (row, expected) in expected.chunks_exact(vocab).enumerate() {
            let expected = normalised(expected);
            for (divergence, logits) in divergences.iter_mut().zip([&ours, &theirs]) {
                divergence.add(&expected, &logits[row * vocab..][..vocab]);
            }
        }
    }
    divergences
}

#[test]
#[ignore = "needs a model and llama.cpp: cargo xtask smollm2"]
fn cpu_kernels_keep_the_distributions_of_the_twins_better_than_llama_cpp() {
    let tokens = text();
    let (mut missed, mut version) = (Vec::new(), String::new());
    println!("\nmean KL to the twins, nats, of {TOKENS} tokens (at the worst), and positions with another best token");
    println!("weights   matrices  inglenook               llama.cpp               ratio");
    for weights in weights::wanted() {
        let file = weights.file();
        let mut theirs = LlamaCpp::start(file.path(), &tokens);
        let [our, their] = measure(file.path(), &tokens, &mut theirs);
        let (name, ratio) = (weights.to_string(), our.mean() / their.mean());
        println!("{name:<10}{:>8}  {our}  {their}  {ratio:.1e}", file.matrices());
        // A ratio that is no number has not passed either.
        if !(our.mean() <= MOST && ratio <= MOST_OF_THEIRS) {
            missed.push(name);
        }
        version = theirs.version.clone();
    }
    println!("llama.cpp is {version}, with keys and values in f32");
    let missed = missed.join(", ");
    assert!(missed.is_empty(), "above {MOST:e} nats, or {MOST_OF_THEIRS} of llama.cpp's: {missed}");
}

/// Tokens of the greedy continuation of a prompt.
fn continued(kernels: KernelCache, prompt: &[u32]) -> Vec<u32> {
    let by = evaluator(kernels, &crate::file("model.gguf"));
    let vocab = by.model().config().vocab as usize;
    let (mut told, mut next, mut first) = (Vec::new(), prompt.to_vec(), 0);
    for _ in 0..ANSWER {
        let logits = block_on(by.extend(first, &next)).expect("computes");
        let last = &logits[logits.len() - vocab..];
        let best = (0..vocab).max_by(|a, b| last[*a].total_cmp(&last[*b])).expect("a vocabulary") as u32;
        first += next.len() as u32;
        told.push(best);
        next = vec![best];
    }
    told
}

#[test]
#[ignore = "needs a model: cargo xtask smollm2"]
fn exact_activations_give_the_greedy_tokens_of_the_twins() {
    let tokens = text();
    for prompt in tokens.chunks(CHUNK).take(4) {
        let mut exact = KernelCache::new(Device::Cpu);
        exact.set_exact_activations(true);
        assert_eq!(continued(exact, prompt), continued(KernelCache::new(Device::Cpu).force(Variant::Plain), prompt));
    }
}
