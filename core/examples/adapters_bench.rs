//! Times what it costs that a request has another LoRA adapter than the one before it, and prints CSV.
//!
//! `cargo run --release -p inglenook --example adapters_bench -- MODEL.gguf [RANK]`. Two adapters of random numbers change the queries and the
//! gates of all layers (rank 16 unless told). Requests of one token come in turn: with the same adapter as the one before, with the other, and
//! with none. The prompts are all in the cache, so that nothing else differs.

use std::collections::BTreeMap;
use std::time::Instant;

use inglenook::engine::EngineOptions;
use inglenook::engine::request::{AdapterChoice, Request};
use inglenook::lora::{Lora, LowRank};
use inglenook::source::ReadAt;
use inglenook::{Device, Engine};

const TURNS: usize = 100;

fn main() -> Result<(), Box<dyn std::error::Error>> {
    pollster::block_on(bench())
}

async fn bench() -> Result<(), Box<dyn std::error::Error>> {
    let mut arguments = std::env::args().skip(1);
    let file = arguments.next().ok_or("name a model: adapters_bench MODEL.gguf [RANK]")?;
    let rank: usize = arguments.next().map_or(Ok(16), |rank| rank.parse())?;
    let source = ReadAt::new(std::fs::File::open(file)?)?;
    let options = EngineOptions { no_speculation: true, ..EngineOptions::default() };
    let engine = Engine::load(Device::Cpu, &source, &options, &mut |_| true).await?;
    for (name, seed) in [("a", 1), ("b", 2)] {
        let started = Instant::now();
        engine.load_adapter(name, &adapter(&engine, seed, rank)).await?;
        eprintln!("loading {name}: {:.1} ms", millis(started));
    }
    let mut all: BTreeMap<&str, Vec<f64>> = BTreeMap::new();
    let (mut last, mut random) = ("a", fastrand::Rng::with_seed(0));
    for _ in 0..3 * TURNS {
        let name = ["a", "b", ""][random.usize(..3)];
        let kind = if name == last { "the same" } else { "another" };
        let took = ask(&engine, name).await?;
        all.entry(kind).or_default().push(took);
        last = name;
    }
    println!("adapter,requests,median_ms");
    let mut medians = Vec::new();
    for (kind, times) in &mut all {
        times.sort_by(f64::total_cmp);
        medians.push(times[times.len() / 2]);
        println!("{kind},{},{:.4}", times.len(), times[times.len() / 2]);
    }
    println!("difference,,{:.4}", medians[0] - medians[1]);
    Ok(())
}

/// Milliseconds until the one token of an answer was there.
async fn ask(engine: &Engine, adapter: &str) -> Result<f64, inglenook::Error> {
    let lora = Some(adapter).filter(|name| !name.is_empty());
    let lora = lora.into_iter().map(|name| AdapterChoice { name: name.into(), scale: 1.0 }).collect();
    let prompt = Some("Once upon a time".to_owned());
    let request = Request { prompt, max_tokens: Some(1), temperature: Some(0.0), lora, ..Request::default() };
    let started = Instant::now();
    let mut answer = engine.submit(request)?;
    while answer.next().await?.is_some() {}
    Ok(millis(started))
}

fn adapter(engine: &Engine, seed: u64, rank: usize) -> Lora {
    let mut random = fastrand::Rng::with_seed(seed);
    let mut values = |len: usize| -> Vec<f32> { (0..len).map(|_| (random.f32() - 0.5) * 0.1).collect() };
    let wanted = |name: &str| ["attn_q.weight", "ffn_gate.weight"].iter().any(|end| name.ends_with(end));
    let sizes = engine.model().matrices().sizes.iter().filter(|(name, _)| wanted(name));
    let weights = sizes.map(|(name, [inputs, outputs])| {
        let (a, b) = (values(rank * *inputs as usize), values(rank * *outputs as usize));
        (name.clone(), LowRank { rank, a, b, scale: 1.0 })
    });
    Lora { architecture: None, weights: weights.collect() }
}

fn millis(since: Instant) -> f64 {
    since.elapsed().as_secs_f64() * 1e3
}
