//! Times a decode step of two layers of an 8B model at 1K and at 32K positions, and prints CSV.
//!
//! `cargo run --release -p inglenook --example context_bench -- [ADAPTER] [KV_TYPE]`, where ADAPTER is `cpu` or part of a GPU's name
//! (`llvmpipe`, `nvidia`) and KV_TYPE is `f16` (the default), `f32`, `q8_0` or `q4_0`. The last column is how the time grew against how the
//! bytes did that a step reads, weights and cache: 1 is as fast as before, and above 1.3 the program fails. Both depths take turns, and the
//! fastest step of each counts, so that other programs disturb little.

use std::time::{Duration, Instant};

use inglenook::device::{Device, Slice};
use inglenook::error::Error;
use inglenook::format::gguf::Gguf;
use inglenook::format::gguf::write::GgufWriter;
use inglenook::format::quant::{WeightType, random_blocks};
use inglenook::gpu::{Gpu, GpuOptions};
use inglenook::kernels::batch::{self, Row};
use inglenook::kernels::kv::KvType;
use inglenook::kv::{KvCache, KvOptions};
use inglenook::model::{Forward, Model};
use inglenook::plan::{self, KernelCache, Plan, Recorder};
use inglenook::source::Memory;

const LAYERS: u32 = 2;
const HIDDEN: u32 = 4096;
const FFN: u32 = 14_336;
const KV_HEADS: u32 = 8;
const KV_WIDTH: u32 = 1024;
const VOCAB: u32 = 64;
const WEIGHTS: WeightType = WeightType::Q4_0;

const DEPTHS: [u32; 2] = [1 << 10, 32 << 10];
/// Most that time may grow by, beyond the bytes read.
const BOUND: f64 = 1.3;
/// How long the two depths take turns, and how often at least.
const TIME: Duration = Duration::from_secs(20);
const TURNS: usize = 3;

fn main() {
    let mut arguments = std::env::args().skip(1);
    let adapter = arguments.next();
    let kv = arguments.next().map_or(Some(KvType::F16), |name| KvType::from_name(&name));
    let result = match kv {
        Some(kv) => pollster::block_on(bench(adapter, kv)).map_err(|error| error.to_string()),
        None => Err("KV_TYPE is f16, f32, q8_0 or q4_0".to_string()),
    };
    match result {
        Ok(growth) if growth <= BOUND => {}
        Ok(growth) => fail(&format!("time grew {growth:.2} times as much as the bytes read; at most {BOUND} is right")),
        Err(error) => fail(&error),
    }
}

fn fail(why: &str) {
    eprintln!("{why}");
    std::process::exit(1);
}

async fn bench(adapter: Option<String>, kv_type: KvType) -> Result<f64, Error> {
    let device = match adapter.as_deref() {
        Some("cpu") => Device::Cpu,
        _ => Device::Gpu(Gpu::request(&GpuOptions { adapter, ..GpuOptions::default() }).await?),
    };
    let context = DEPTHS[1];
    let file = Memory(two_layers(context));
    let model = Model::load(&Gguf::read(&file).await?, &file, &device, context, &mut |_, _| true).await?;
    let options = KvOptions {
        groups: model.kv_groups(false),
        context,
        slots: 1,
        pages: None,
        ty: kv_type,
        segment_bytes: None,
        is_scratch: false,
    };
    let kv = KvCache::new(&device, &options)?;
    let batch = device.upload("batch", &batch::words(&[Row::new(1, context - 1, 0)]))?.all();
    let step = record(&device, &model, &kv, &batch).await?;

    let mut fastest = [f64::INFINITY; 2];
    let begin = Instant::now();
    for turn in 0.. {
        if turn > TURNS && begin.elapsed() > TIME {
            break;
        }
        for (depth, fastest) in DEPTHS.iter().zip(&mut fastest) {
            let seconds = time(&device, &step, &batch, *depth).await?;
            // The first turn warms up.
            *fastest = if turn == 0 { *fastest } else { fastest.min(seconds) };
        }
    }

    let cached = |depth: u32| kv.page_bytes().sum::<u64>() * u64::from(depth / 32);
    let bytes = DEPTHS.map(|depth| (model.weight_bytes() + cached(depth)) as f64);
    let growth = (fastest[1] / fastest[0]) / (bytes[1] / bytes[0]);
    println!("adapter,kv,positions,ms,mb_read,growth_of_time_to_bytes");
    for (index, growth) in [1.0, growth].into_iter().enumerate() {
        let (name, ms, mb) = (device.facts().name.replace(',', ";"), fastest[index] * 1e3, bytes[index] / 1e6);
        println!("{name},{},{},{ms:.2},{mb:.0},{growth:.2}", kv_type.name(), DEPTHS[index]);
    }
    Ok(growth)
}

/// One token through both layers.
async fn record(device: &Device, model: &Model, kv: &KvCache, batch: &Slice) -> Result<Step, Error> {
    let (mut recorder, facts) = (Recorder::new(), device.facts());
    let out = model.forward(&mut Forward {
        reads: None,
        recorder: &mut recorder,
        config: model.config(),
        kv,
        adapters: None,
        batch: batch.clone(),
        rows: 1,
        is_prefill: false,
        facts: &facts,
    });
    recorder.keep("out", out);
    let plan = Plan::build(&mut KernelCache::new(device.clone()), recorder).await?;
    let out = plan.find("out").expect("it is kept").clone();
    Ok(Step { plan, out })
}

struct Step {
    plan: Plan,
    out: Slice,
}

/// Seconds of a step whose token stands at the end of so many positions.
async fn time(device: &Device, step: &Step, batch: &Slice, depth: u32) -> Result<f64, Error> {
    let words = batch::words(&[Row::new(1, depth - 1, 0)]);
    device.write(&batch.storage, batch.offset, bytemuck::cast_slice(&words));
    let begin = Instant::now();
    plan::submit_and_read(device, &[&step.plan], &step.out).wait().await?;
    Ok(begin.elapsed().as_secs_f64())
}

/// A GGUF file of two layers with the sizes of Llama 3 8B and few tokens.
fn two_layers(context: u32) -> Vec<u8> {
    let mut file = GgufWriter::new();
    file.entry("general.architecture", "llama")
        .entry("llama.context_length", context)
        .entry("llama.embedding_length", HIDDEN)
        .entry("llama.block_count", LAYERS)
        .entry("llama.feed_forward_length", FFN)
        .entry("llama.attention.head_count", 32u32)
        .entry("llama.attention.head_count_kv", KV_HEADS)
        .entry("llama.attention.layer_norm_rms_epsilon", 1e-5f32)
        .entry("llama.rope.freq_base", 500_000f32);
    let tensors = tensors();
    for (name, [cols, rows], ty) in &tensors {
        let dims = [u64::from(*cols), u64::from(*rows)];
        file.tensor(name, &dims[..if *rows == 1 { 1 } else { 2 }], *ty).expect("whole blocks");
    }
    let mut data = file.start(Vec::new()).expect("memory takes every byte");
    for (seed, (_, [cols, rows], ty)) in (0..).zip(&tensors) {
        let blocks = *cols as usize * *rows as usize / ty.block_len();
        data.write(&random_blocks(*ty, seed, blocks, (*cols as f32).sqrt().recip())).expect("memory takes every byte");
    }
    data.finish().expect("all data is there")
}

fn tensors() -> Vec<(String, [u32; 2], WeightType)> {
    let mut tensors = vec![("token_embd.weight".to_string(), [HIDDEN, VOCAB], WEIGHTS)];
    for layer in 0..LAYERS {
        let parts = [
            ("attn_norm", [HIDDEN, 1], WeightType::F32),
            ("attn_q", [HIDDEN, HIDDEN], WEIGHTS),
            ("attn_k", [HIDDEN, KV_WIDTH], WEIGHTS),
            ("attn_v", [HIDDEN, KV_WIDTH], WEIGHTS),
            ("attn_output", [HIDDEN, HIDDEN], WEIGHTS),
            ("ffn_norm", [HIDDEN, 1], WeightType::F32),
            ("ffn_gate", [HIDDEN, FFN], WEIGHTS),
            ("ffn_up", [HIDDEN, FFN], WEIGHTS),
            ("ffn_down", [FFN, HIDDEN], WEIGHTS),
        ];
        tensors.extend(parts.map(|(part, dims, ty)| (format!("blk.{layer}.{part}.weight"), dims, ty)));
    }
    tensors.push(("output_norm.weight".to_string(), [HIDDEN, 1], WeightType::F32));
    tensors
}
