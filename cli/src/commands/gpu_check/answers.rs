//! Greedy answers of real models, on the GPU and on the CPU.

use std::path::Path;
use std::time::Instant;

use anyhow::{Context, Result};
use inglenook::device::Device;
use inglenook::engine::request::Request;
use inglenook::engine::score::{LogitsEvaluator, ScoreOptions};
use inglenook::engine::{Engine, EngineOptions};
use inglenook::gpu::Gpu;
use inglenook::kernels::Variant;
use inglenook::kernels::kv::KvType;
use inglenook::plan::KernelCache;
use serde_json::json;

use super::report::{Report, Row, Verdict};
use crate::{answer, load};

const QUESTIONS: [&str; 3] =
    ["What is the capital of France? Answer briefly.", "What is 17 + 25?", "Tell me a story about a cat."];
const TOKENS: u32 = 24;
/// Two tokens whose logits differ by no more are a tie, which rounding decides: f16 arithmetic and 8-bit activations are part of some
/// variants.
const TIE: f32 = 0.1;

/// Compares a model's answers: of `path`, or of the built-in one.
///
/// # Errors
/// When a row cannot be written.
pub fn check(report: &mut Report, gpu: &Gpu, model: &str, path: Option<&Path>) -> Result<()> {
    report.stage(&format!("answers of {model}"));
    if report.left() == 0.0 {
        return report.skip("answers", model, "the budget is spent");
    }
    for question in QUESTIONS {
        let started = Instant::now();
        let compared = compare(gpu, path, question);
        let (verdict, detail) = compared.unwrap_or_else(|error| (Verdict::Wrong, format!("{error:#}")));
        report.add(Row {
            stage: "answers",
            case: format!("{model}: {question}"),
            verdict,
            seconds: Some(started.elapsed().as_secs_f64()),
            detail,
            ..Row::default()
        })?;
    }
    Ok(())
}

fn compare(gpu: &Gpu, path: Option<&Path>, question: &str) -> Result<(Verdict, String)> {
    let request = Request {
        messages: vec![json!({"role": "user", "content": question})],
        temperature: Some(0.0),
        max_tokens: Some(TOKENS),
        ..Request::default()
    };
    let (_, on_gpu, text) = greedy(Device::Gpu(gpu.clone()), path, &request)?;
    let (prompt, on_cpu, _) = greedy(Device::Cpu, path, &request)?;
    if on_gpu == on_cpu {
        return Ok((Verdict::Ok, text));
    }
    let same = on_gpu.iter().zip(&on_cpu).take_while(|(a, b)| a == b).count();
    let (Some(a), Some(b)) = (on_gpu.get(same), on_cpu.get(same)) else {
        return Ok((Verdict::Wrong, format!("{} tokens instead of {}", on_gpu.len(), on_cpu.len())));
    };
    let gap = gap(path, &[&prompt, &on_cpu[..same]].concat(), *b, *a)?;
    let verdict = if gap <= TIE { Verdict::Ok } else { Verdict::Wrong };
    Ok((verdict, format!("token {same} is {a} instead of {b}, whose logit is {gap:.4} higher on the CPU: {text}")))
}

/// The tokens of the prompt, those of the greedy answer, and its text.
fn greedy(device: Device, path: Option<&Path>, request: &Request) -> Result<(Vec<u32>, Vec<u32>, String)> {
    let source = load::source(path)?;
    let options = EngineOptions { context: Some(512), max_sequences: Some(1), ..EngineOptions::default() };
    let mut engine = pollster::block_on(Engine::load(device, source.as_ref(), &options, &mut |_| true))?;
    let prompt = engine.prompts().tokens(request)?;
    let answered = answer::answer(&mut engine, request.clone(), |_| Ok(()))?;
    engine.close();
    Ok((prompt, answered.tokens, answered.text))
}

/// How much higher the logit of `best` is than that of `other` after `tokens`, on the CPU.
fn gap(path: Option<&Path>, tokens: &[u32], best: u32, other: u32) -> Result<f32> {
    let source = load::source(path)?;
    let options = ScoreOptions { chunk: tokens.len() as u32, context: 512, kv: KvType::F16 };
    pollster::block_on(async {
        // The twins alone, of which no other device can share a fault.
        let twins = KernelCache::new(Device::Cpu).force(Variant::Plain);
        let evaluator = LogitsEvaluator::load(twins, source.as_ref(), options).await?;
        let logits = evaluator.logits(tokens).await?;
        let last = logits.len() - logits.len() / tokens.len();
        let of = |token: u32| logits.get(last + token as usize).context("the model has such a token");
        Ok(of(best)? - of(other)?)
    })
}
