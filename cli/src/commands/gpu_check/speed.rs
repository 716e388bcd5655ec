//! How fast models of real shapes are, and which variants run them.

use std::time::Instant;

use anyhow::Result;
use inglenook::device::Device;
use inglenook::engine::{Engine, EngineOptions};
use inglenook::error::Error;
use inglenook::gpu::Gpu;
use inglenook::source::Source;

use super::memory;
use super::report::{Report, Row, Verdict};
use crate::commands::bench::measure::{self, Run};
use crate::commands::synth::{Name, Repeated};
use crate::interrupt::Interrupted;

const MODELS: [Name; 4] = [Name::Small, Name::Half, Name::Four, Name::Eight];
const CONTEXTS: [u32; 2] = [1024, 8192];
/// Tokens decoded behind a context.
const DECODED: u32 = 33;
/// Tokens of a prompt's first step; the later ones are such that they take about this long, so that the budget is kept.
const FIRST_STEP: u32 = 256;
const STEP_SECONDS: f64 = 10.0;
/// Tokens of the prompt by which everything that is reused comes to be.
const WARM_UP: u32 = 40;
/// Attention over a long context takes time that the rate at a shorter one does not show.
const MARGIN: f64 = 1.5;

/// Times all models at all contexts that the budget and the memory allow; a software adapter's memory is the machine's.
///
/// # Errors
/// When a row cannot be written; an interruption.
pub fn measure(report: &mut Report, gpu: &Gpu, is_software: bool, quick: bool) -> Result<()> {
    let (models, contexts) = if quick { (&MODELS[..1], &CONTEXTS[..1]) } else { (&MODELS[..], &CONTEXTS[..]) };
    let mut pace = None;
    for model in models {
        let source = Repeated::new(*model)?;
        let bytes = source.len().unwrap_or_default();
        let lack =
            is_software.then(|| memory::lack(bytes)).flatten().or_else(|| too_long(report, pace, bytes, contexts[0]));
        if let Some(why) = lack {
            report.skip("speed", &model.to_string(), &why)?;
            continue;
        }
        let Some(mut timed) = load(report, gpu, *model, &source, contexts)? else { continue };
        for context in contexts {
            timed.at(report, &mut pace, *context)?;
        }
        timed.engine.close();
    }
    Ok(())
}

/// Seconds for each byte of a model: to load it, to compute a token of a prompt, to decode a token.
#[derive(Debug, Clone, Copy)]
struct Pace {
    load: f64,
    prefill: f64,
    decode: f64,
}

/// Why the budget does not allow a model of `bytes` at this context, by what the one before took. The first is always tried.
fn too_long(report: &Report, pace: Option<Pace>, bytes: u64, context: u32) -> Option<String> {
    let estimate = pace.map_or(0.0, |Pace { load, prefill, decode }| {
        let a_byte = load + prefill * f64::from(context) + decode * f64::from(DECODED);
        a_byte * bytes as f64 * MARGIN
    });
    let left = report.left();
    (estimate >= left).then(|| format!("it would take about {estimate:.0} s, and {left:.0} s of the budget are left"))
}

/// A loaded model.
struct Timed {
    engine: Engine,
    model: Name,
    bytes: u64,
    load_seconds: f64,
}

/// What a prompt took.
struct Timing {
    /// Tokens of the prompt that were computed.
    tokens: u32,
    /// Seconds they took.
    prefill: f64,
    /// The last step, with what was decoded behind it.
    run: Option<Run>,
}

/// Loads a model; none where it does not fit, or is wrong.
fn load(report: &mut Report, gpu: &Gpu, model: Name, source: &Repeated, contexts: &[u32]) -> Result<Option<Timed>> {
    report.stage(&format!("loading {model}"));
    let longest = contexts.iter().max().copied().unwrap_or_default();
    let options =
        EngineOptions { context: Some(longest + 2 * DECODED), max_sequences: Some(1), ..EngineOptions::default() };
    let started = Instant::now();
    let engine = match pollster::block_on(Engine::load(Device::Gpu(gpu.clone()), source, &options, &mut |_| true)) {
        Ok(engine) => engine,
        Err(error) if is_lack_of_memory(&error) => {
            report.skip("speed", &model.to_string(), &error.to_string())?;
            return Ok(None);
        }
        Err(error) => {
            report.add(wrong(model.to_string(), &error.into()))?;
            return Ok(None);
        }
    };
    let load_seconds = started.elapsed().as_secs_f64();
    let bytes = source.len().unwrap_or_default();
    report.add(Row {
        stage: "speed",
        case: format!("{model} load"),
        value: Some(bytes as f64 / 1e9 / load_seconds),
        unit: "GB/s",
        seconds: Some(load_seconds),
        detail: format!("{bytes} bytes, with the choice of variants"),
        ..Row::default()
    })?;
    variants(report, model, &engine)?;
    Ok(Some(Timed { engine, model, bytes, load_seconds }))
}

fn is_lack_of_memory(error: &Error) -> bool {
    matches!(error.code(), "TooSmall" | "OutOfMemory")
}

/// A row for each choice of a variant, with the times that it was made by.
fn variants(report: &mut Report, model: Name, engine: &Engine) -> Result<()> {
    for choice in &engine.info().kernels {
        let chosen = choice.times.iter().find(|(variant, _)| format!("{variant:?}") == choice.variant);
        let times: Vec<String> = choice
            .times
            .iter()
            .map(|(variant, time)| format!("{variant:?} {:.1} µs", time.as_secs_f64() * 1e6))
            .collect();
        let found_wrong = choice.wrong.iter().map(|wrong| format!("wrong: {wrong}"));
        report.add(Row {
            stage: "variants",
            case: format!("{model} {} {}", choice.kernel, choice.class).trim_end().to_string(),
            verdict: if choice.wrong.is_empty() { Verdict::Ok } else { Verdict::Wrong },
            value: chosen.map(|(_, time)| time.as_secs_f64() * 1e6),
            unit: if chosen.is_some() { "µs" } else { "" },
            detail: std::iter::once(choice.variant.clone())
                .chain(times)
                .chain(found_wrong)
                .collect::<Vec<_>>()
                .join("; "),
            ..Row::default()
        })?;
    }
    Ok(())
}

impl Timed {
    /// Times a prompt of `context` tokens and what is decoded behind it.
    fn at(&mut self, report: &mut Report, pace: &mut Option<Pace>, context: u32) -> Result<()> {
        let case = format!("{} at {context}", self.model);
        if let Some(why) = too_long(report, pace.map(|pace| Pace { load: 0.0, ..pace }), self.bytes, context) {
            return report.skip("speed", &case, &why);
        }
        report.stage(&case);
        match self.run(report, context) {
            Ok(Timing { tokens, prefill, .. }) if tokens < context => {
                let rate = f64::from(tokens) / prefill;
                let why = format!("the budget is spent after {tokens} tokens of the prompt, {rate:.2} tok/s");
                report.skip("speed", &case, &why)
            }
            Ok(timing) => self.rows(report, pace, &case, &timing),
            Err(error) if error.is::<Interrupted>() => Err(error),
            Err(error) if error.downcast_ref().is_some_and(is_lack_of_memory) => {
                report.skip("speed", &case, &format!("{error:#}"))
            }
            Err(error) => report.add(wrong(case, &error)),
        }
    }

    /// Computes a prompt in steps, each of which goes on from the cache, until it is done or the budget is spent.
    fn run(&mut self, report: &Report, context: u32) -> Result<Timing> {
        let engine = &self.engine;
        let ask =
            |tokens, decoded| measure::run(engine, measure::request(engine, &measure::prompt(engine, tokens), decoded));
        ask(WARM_UP, 16)?;
        engine.reset_cache();
        let mut timing = Timing { tokens: 0, prefill: 0.0, run: None };
        let (mut wanted, mut step) = (0, FIRST_STEP);
        while wanted < context && (wanted == 0 || report.left() > 0.0) {
            wanted = context.min(wanted + step);
            let run = ask(wanted, if wanted == context { DECODED } else { 1 })?;
            timing.tokens += run.usage.prompt_tokens - run.usage.cached_tokens;
            timing.prefill += run.timings.prefill_ms / 1e3;
            timing.run = Some(run);
            step = ((f64::from(timing.tokens) / timing.prefill * STEP_SECONDS) as u32).max(FIRST_STEP);
        }
        Ok(timing)
    }

    fn rows(&self, report: &mut Report, pace: &mut Option<Pace>, case: &str, timing: &Timing) -> Result<()> {
        let prefill = f64::from(timing.tokens) / timing.prefill;
        let decode = timing.run.as_ref().map_or(0.0, Run::decode_rate);
        let read = self.engine.step_costs().1;
        *pace = Some(Pace {
            load: self.load_seconds / self.bytes as f64,
            prefill: prefill.recip() / self.bytes as f64,
            decode: decode.recip() / self.bytes as f64,
        });
        let figures = [
            ("prefill", prefill, timing.prefill, format!("{} tokens", timing.tokens)),
            (
                "decode",
                decode,
                f64::from(DECODED - 1) / decode,
                format!("{read} bytes of weights a token: {:.2} GB/s", read as f64 * decode / 1e9),
            ),
        ];
        for (what, rate, seconds, detail) in figures {
            report.add(Row {
                stage: "speed",
                case: format!("{case} {what}"),
                value: Some(rate),
                unit: "tok/s",
                seconds: Some(seconds),
                detail,
                ..Row::default()
            })?;
        }
        Ok(())
    }
}

fn wrong(case: String, error: &anyhow::Error) -> Row {
    Row { stage: "speed", case, verdict: Verdict::Wrong, detail: format!("{error:#}"), ..Row::default() }
}
