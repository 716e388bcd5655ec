//! Activations on the CPU: rounded, or as they are.

use inglenook::engine::score::{LogitsEvaluator, ScoreOptions};
use inglenook::engine::{Engine, EngineOptions};
use inglenook::kernels::Variant;
use inglenook::plan::KernelCache;
use inglenook::source::Memory;
use inglenook::{Device, KvType};
use pollster::block_on;
use serde_json::json;

use crate::EMBER;
use crate::support::module::InProcess;
use crate::support::{read, request};

const PROMPT: [u32; 24] = [5, 9, 13, 40, 41, 42, 7, 7, 100, 3, 250, 12, 99, 61, 8, 17, 23, 301, 55, 56, 57, 58, 2, 19];

fn evaluator(kernels: KernelCache, chunk: u32) -> LogitsEvaluator {
    // An f16 that is rounded the other way weighs more than what these tests look for.
    let options = ScoreOptions { chunk, context: 64, kv: KvType::F32 };
    block_on(LogitsEvaluator::load(kernels, &Memory(EMBER), options)).expect("loads")
}

fn kernels(exact: bool) -> KernelCache {
    let mut kernels = KernelCache::new(Device::Cpu);
    kernels.set_exact_activations(exact);
    kernels
}

fn logits(kernels: KernelCache, chunk: u32) -> Vec<f32> {
    let by = evaluator(kernels, chunk);
    let chunks = PROMPT.chunks(chunk as usize).zip((0..).step_by(chunk as usize));
    chunks.flat_map(|(tokens, first)| block_on(by.extend(first, tokens)).expect("computes")).collect()
}

fn bits(values: &[f32]) -> Vec<u32> {
    values.iter().map(|value| value.to_bits()).collect()
}

#[test]
fn logits_have_the_same_bits_however_many_tokens_are_computed_at_once() {
    for exact in [false, true] {
        let alone = logits(kernels(exact), 1);
        for chunk in [2, 3, 7, 24] {
            assert!(bits(&alone) == bits(&logits(kernels(exact), chunk)), "{chunk} at once, exact: {exact}");
        }
    }
}

#[test]
fn exact_activations_are_nearer_to_the_twins_than_rounded_ones() {
    let twins = logits(KernelCache::new(Device::Cpu).force(Variant::Plain), 24);
    let error = |exact: bool| -> f32 {
        let found = logits(kernels(exact), 24);
        twins.iter().zip(&found).map(|(a, b)| (a - b).abs()).fold(0.0, f32::max)
    };
    let (exact, rounded) = (error(true), error(false));
    assert!(exact < 1e-4 && exact < rounded, "exact {exact}, rounded {rounded}");
}

#[test]
fn exact_activations_give_the_same_answers_in_a_module_of_the_cpu() {
    block_on(async {
        let mut told = Vec::new();
        for device in [Device::Cpu, InProcess::device().1] {
            let options = EngineOptions { exact_activations: true, ..EngineOptions::default() };
            let engine = Engine::load(device, &Memory(EMBER), &options, &mut |_| true).await.expect("loads");
            let asked = json!({"messages": [{"role": "user", "content": "What is 17 + 25?"}], "logprobs": true});
            let mut answer = engine.submit(request(asked, json!({"temperature": 0.0}))).expect("a request");
            let answer = read(&mut answer).await;
            told.push((answer.text.clone(), answer.tokens));
        }
        assert_eq!(told[0], told[1]);
        assert!(told[0].0.contains("42"), "{}", told[0].0);
    });
}
