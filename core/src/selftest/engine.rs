//! What the engine promises of each step, whatever the device: counted, not timed.

use super::synthetic::{Shape, Synthetic};
use super::{KernelTest, Outcome, expect};
use crate::device::Device;
use crate::engine::event::{Event, FinishReason};
use crate::engine::request::Request;
use crate::engine::{Answer, Engine, EngineOptions, Model, ModelOptions};
use crate::error::Error;
use crate::gpu::{Gpu, GpuOptions, Limits, Without};
use crate::source::Memory;

/// Dispatches that a layer of a dense decoder may take.
const DISPATCHES_A_LAYER: usize = 9;
/// Steps that share a read, at least.
const STEPS_A_READ: u64 = 4;

const SMALL: Shape = Shape { layers: 16, hidden: 64, heads: 4, kv_heads: 2, head_dim: 16, ffn: 128, vocab: 517 };
const NARROW: Shape = Shape { layers: 2, hidden: 64, heads: 4, kv_heads: 2, head_dim: 16, ffn: 128, vocab: 517 };
/// Its embedding takes 200 MiB, more than a binding by default.
const WIDE: Shape = Shape { layers: 2, hidden: 512, heads: 8, kv_heads: 4, head_dim: 64, ffn: 512, vocab: 102_400 };

/// The cases, named `engine/…`.
pub fn cases() -> Vec<KernelTest> {
    vec![
        KernelTest::new("engine/steady_decoding_creates_nothing_and_seldom_reads", steady),
        KernelTest::new("engine/an_abort_ends_within_one_step", abort),
        KernelTest::new("engine/default_limits_give_the_same_tokens", |_| default_limits()),
        KernelTest::new("engine/hardware_path_gives_the_cpus_tokens", |_| hardware_path()),
        KernelTest::new("engine/drafter_beside_the_model_changes_no_token", drafter_beside),
    ]
}

/// Decodes until the loop has settled, then counts what 48 tokens take.
async fn steady(gpu: Gpu) -> Outcome {
    let mut engine = load(gpu, &SMALL).await?;
    let mut generation = begin(&mut engine, 80)?;
    decode_to(&mut generation, 16).await?;
    let before = engine.counters();
    decode_to(&mut generation, 64).await?;
    let spent = engine.counters().since(&before);

    let a_step = engine.step_costs().0;
    let steps = spent.dispatches / a_step as u64;
    expect("dispatches of parts of a step", &(spent.dispatches % a_step as u64), &0)?;
    // What is outside the layers takes far fewer dispatches than there are layers.
    let a_layer = a_step / SMALL.layers as usize;
    let told = format!("{a_step} dispatches a step, {a_layer} a layer; {steps} steps took {spent:?}");
    let promises = [
        ("dispatches a layer", a_layer <= DISPATCHES_A_LAYER),
        ("48 steps", steps == 48),
        ("GPU objects created", spent.objects() == 0),
        ("submissions", spent.submits <= steps),
        ("passes", spent.passes <= steps),
        ("reads", spent.reads * STEPS_A_READ <= steps),
    ];
    match promises.iter().find(|(_, held)| !held) {
        Some((what, _)) => Err(format!("{what}: {told}")),
        None => Ok(told),
    }
}

/// Cancels after the third token: at most one more submission, and the device is free for the next answer.
async fn abort(gpu: Gpu) -> Outcome {
    let mut engine = load(gpu, &SMALL).await?;
    let mut generation = begin(&mut engine, 200)?;
    decode_to(&mut generation, 3).await?;
    let before = engine.counters();
    generation.cancel();
    expect("the end", &finish(&mut generation).await?, &FinishReason::Aborted)?;
    engine.device().wait_idle().await.map_err(super::told)?;
    let submits = engine.counters().since(&before).submits;
    if submits > 1 {
        return Err(format!("{submits} submissions after the abort"));
    }
    let mut next = begin(&mut engine, 5)?;
    expect("the end of the next answer", &finish(&mut next).await?, &FinishReason::Length)?;
    Ok(format!("{submits} submissions after the abort"))
}

async fn default_limits() -> Outcome {
    // Half precision would give other tokens where the variants chosen differ.
    let without = Without { f16: true, ..Without::default() };
    let mut tokens = Vec::new();
    let mut bindings = Vec::new();
    for default_limits in [false, true] {
        let options = GpuOptions { default_limits, without, ..GpuOptions::default() };
        let gpu = Gpu::request(&options).await.map_err(super::told)?;
        bindings.push(gpu.facts().limits.binding >> 20);
        if default_limits {
            expect("the limits", &gpu.facts().limits.binding, &Limits::DEFAULT.binding)?;
            expect("the limits", &gpu.facts().limits.storage_buffers, &Limits::DEFAULT.storage_buffers)?;
        }
        let mut engine = load(gpu, &WIDE).await?;
        let mut generation = begin(&mut engine, 12)?;
        finish(&mut generation).await?;
        tokens.push(generation.tokens(0));
        engine.close();
    }
    expect("the tokens at default limits", &tokens[1], &tokens[0])?;
    Ok(format!("bindings of at most {bindings:?} MiB, tokens {:?}", tokens[0]))
}

/// Split attention, chunks of 256, every variant that is timed: what real GPUs take and software adapters do not.
async fn hardware_path() -> Outcome {
    let gpu = Gpu::request(&GpuOptions { as_hardware: true, ..GpuOptions::default() }).await.map_err(super::told)?;
    expect("the adapter is software", &gpu.facts().software, &false)?;
    let mut tokens = Vec::new();
    for device in [Device::Gpu(gpu), Device::Cpu] {
        let options =
            EngineOptions { context: Some(768), kv_type: crate::kernels::kv::KvType::F32, ..EngineOptions::default() };
        let engine = Engine::load(device, &Synthetic::new(&NARROW), &options, &mut |_| true).await.map_err(said)?;
        // Two whole chunks and the beginning of a third.
        let prompt = Some("Rain ran down the window. ".repeat(22));
        // Drawn, since the likeliest token of a model of random weights is always the same.
        let drawn = Request { temperature: Some(1.0), seed: Some(7), ..Request::default() };
        let mut generation = engine.submit(Request { prompt, max_tokens: Some(24), ..drawn }).map_err(said)?;
        finish(&mut generation).await?;
        tokens.push(generation.tokens(0));
        engine.close();
    }
    expect("the tokens", &tokens[0], &tokens[1])?;
    Ok(format!("tokens {:?}", tokens[0]))
}

/// Its passes use the model's buffers, which are another client's.
async fn drafter_beside(gpu: Gpu) -> Outcome {
    const MODEL: &[u8] = include_bytes!("../../../tests/goldens/mtp/gemma4-agreeing.gguf");
    const MOST_ANSWERS: usize = 100;
    const DRAFTER: &[u8] = include_bytes!("../../../tests/goldens/mtp/gemma4-agreeing-assistant.gguf");
    let device = Device::Gpu(gpu);
    let plain = EngineOptions { context: Some(256), no_speculation: true, ..EngineOptions::default() };
    let options = ModelOptions { context: Some(256), ..ModelOptions::default() };
    let drafter = Model::load(device.clone(), &Memory(DRAFTER), &options, &mut |_| true).await.map_err(said)?;
    let drafting =
        EngineOptions { draft: Some(drafter), free_drafts: true, context: Some(256), ..EngineOptions::default() };
    let (mut tokens, mut counts) = (Vec::new(), [0; 2]);
    for options in [plain, drafting] {
        let mut engine = Engine::load(device.clone(), &Memory(MODEL), &options, &mut |_| true).await.map_err(said)?;
        let drafts = !options.no_speculation;
        // While the first are given, the plans of drafts are built.
        for _ in 0..MOST_ANSWERS {
            let mut generation = begin(&mut engine, 60)?;
            finish(&mut generation).await?;
            tokens.push(generation.tokens(0));
            let metrics = engine.metrics();
            counts = [metrics.drafted_tokens, metrics.accepted_tokens];
            if !drafts || counts[1] > 10 {
                break;
            }
        }
        engine.close();
    }
    tokens.iter().try_for_each(|found| expect("the tokens", found, &tokens[0]))?;
    let told = format!("{} of {} drafted tokens were accepted", counts[1], counts[0]);
    if counts[1] > 10 { Ok(told) } else { Err(told) }
}

async fn load(gpu: Gpu, shape: &Shape) -> Result<Engine, String> {
    // Plain steps alone are counted here.
    let options = EngineOptions { context: Some(256), no_speculation: true, ..EngineOptions::default() };
    Engine::load(Device::Gpu(gpu), &Synthetic::new(shape), &options, &mut |_| true).await.map_err(said)
}

fn begin(engine: &mut Engine, max_tokens: u32) -> Result<Answer, String> {
    let prompt = Some("What is done twice is done the same way twice.".to_string());
    let request = Request { prompt, temperature: Some(0.0), max_tokens: Some(max_tokens), ..Request::default() };
    engine.submit(request).map_err(said)
}

/// Moves on until the answer has `count` tokens.
async fn decode_to(generation: &mut Answer, count: usize) -> Result<(), String> {
    while generation.tokens(0).len() < count {
        if let Some(Event::Done { .. }) | None = generation.next().await.map_err(said)? {
            return Err(format!("the answer ended after {} tokens", generation.tokens(0).len()));
        }
    }
    Ok(())
}

async fn finish(generation: &mut Answer) -> Result<FinishReason, String> {
    loop {
        match generation.next().await.map_err(said)? {
            Some(Event::Done { reason, .. }) => return Ok(reason),
            Some(_) => {}
            None => return Err("the answer has no end".into()),
        }
    }
}

fn said(error: Error) -> String {
    error.to_string()
}
