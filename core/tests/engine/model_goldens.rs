//! Whole models against HF transformers: logits at every position and greedy tokens, on the GPU and on the CPU.

use std::path::PathBuf;

use inglenook::device::Device;
use inglenook::engine::score::{LogitsEvaluator, ScoreOptions};
use inglenook::format::gguf::Gguf;
use inglenook::kernels::kv::KvType;
use inglenook::model::{ARCHITECTURES, Architecture};
use inglenook::plan::KernelCache;
use inglenook::source::Memory;

use crate::{gpu, gpu_as_hardware};

/// Largest difference from the reference, as a share of the largest logit of a position. f32 sums in another order stay
/// below 1e-5 of it; a wrong constant or position does not.
const TOLERANCE: f32 = 1e-3;

struct Golden {
    gguf: Memory<Vec<u8>>,
    prompt: Vec<u32>,
    greedy: Vec<u32>,
    logits: Vec<f32>,
    taps: Vec<(String, Vec<f32>)>,
}

fn golden(name: &str) -> Golden {
    let folder = PathBuf::from(env!("CARGO_MANIFEST_DIR")).join("../tests/goldens/models");
    let read = |file: String| std::fs::read(folder.join(&file)).unwrap_or_else(|error| panic!("{file}: {error}"));
    let json: serde_json::Value = serde_json::from_slice(&read(format!("{name}.json"))).expect("valid JSON");
    let ids = |key: &str| serde_json::from_value(json[key].clone()).expect("token ids");
    let taps = json["taps"].as_object().expect("taps").iter();
    Golden {
        gguf: Memory(read(format!("{name}.gguf"))),
        prompt: ids("prompt"),
        greedy: ids("greedy"),
        logits: bytemuck::pod_collect_to_vec(&read(format!("{name}.logits.f32"))),
        taps: taps
            .map(|(name, values)| (name.clone(), serde_json::from_value(values.clone()).expect("floats")))
            .collect(),
    }
}

/// Largest difference of two vectors as a share of the largest magnitude of the first.
pub fn difference(expected: &[f32], found: &[f32]) -> f32 {
    assert_eq!(expected.len(), found.len());
    let scale = expected.iter().fold(0.0f32, |max, v| max.max(v.abs()));
    let worst = expected.iter().zip(found).map(|(e, f)| (e - f).abs()).fold(0.0, f32::max);
    if found.iter().all(|v| v.is_finite()) { worst / scale } else { f32::INFINITY }
}

async fn check(name: &str, device: Device, chunk: u32) {
    let golden = golden(name);
    let options = ScoreOptions { chunk, context: 400, kv: KvType::F32 };
    let scorer = LogitsEvaluator::load(KernelCache::new(device), &golden.gguf, options).await.expect("loads");
    let logits = scorer.logits(&golden.prompt).await.expect("computes");
    let vocab = scorer.model().config().vocab as usize;
    let differences =
        logits.chunks(vocab).zip(golden.logits.chunks(vocab)).map(|(found, expected)| difference(expected, found));
    let (position, worst) = differences.enumerate().max_by(|a, b| a.1.total_cmp(&b.1)).expect("a prompt");
    if worst > TOLERANCE {
        for (tap, expected) in &golden.taps {
            if let Some(values) = scorer.tap(tap).await.expect("reads") {
                let last = (golden.prompt.len() - 1) % chunk as usize;
                let found = &values[last * expected.len()..][..expected.len()];
                eprintln!("{name} chunk {chunk}: {tap} differs by {:.2e}", difference(expected, found));
            }
        }
        panic!("{name} in chunks of {chunk}: logits of position {position} differ by {worst:.2e} of the largest");
    }
    let mut token = best(&logits[logits.len() - vocab..]);
    for (step, expected) in golden.greedy.iter().enumerate() {
        assert_eq!(token, *expected, "{name} in chunks of {chunk}: greedy token {step}");
        let logits = scorer.extend((golden.prompt.len() + step) as u32, &[token]).await.expect("computes");
        token = best(&logits);
    }
}

fn best(logits: &[f32]) -> u32 {
    (0..logits.len()).max_by(|a, b| logits[*a].total_cmp(&logits[*b])).expect("not empty") as u32
}

/// Every checkpoint of an architecture that there is, by name.
pub fn names() -> Vec<String> {
    names_in("models").into_iter().filter(|name| architecture(name).is_some()).collect()
}

/// Every checkpoint in a folder of the goldens, by name.
fn names_in(folder: &str) -> Vec<String> {
    let folder = PathBuf::from(env!("CARGO_MANIFEST_DIR")).join("../tests/goldens").join(folder);
    let files = std::fs::read_dir(folder).expect("the goldens").map(|entry| entry.expect("an entry").file_name());
    let mut names: Vec<String> =
        files.filter_map(|name| Some(name.to_str()?.strip_suffix(".gguf")?.to_owned())).collect();
    names.sort();
    names
}

/// The architecture of a checkpoint, if there is that.
fn architecture(name: &str) -> Option<&'static Architecture> {
    let file = PathBuf::from(env!("CARGO_MANIFEST_DIR")).join(format!("../tests/goldens/models/{name}.gguf"));
    let file = Memory(std::fs::read(&file).unwrap_or_else(|error| panic!("{}: {error}", file.display())));
    let gguf = pollster::block_on(Gguf::read(&file)).expect("a sound header");
    let found = gguf.metadata.str("general.architecture").expect("it has one");
    ARCHITECTURES.iter().copied().find(|architecture| architecture.name == found)
}

#[test]
fn every_architecture_has_a_golden() {
    let of_folder = |folder: &'static str| names_in(folder).into_iter().map(move |name| format!("../{folder}/{name}"));
    let others = ["embeddings", "mtp"].into_iter().flat_map(of_folder);
    let names: Vec<String> = names().into_iter().chain(others).collect();
    let found: Vec<&str> = names.iter().filter_map(|name| Some(architecture(name)?.name)).collect();
    for architecture in ARCHITECTURES {
        assert!(
            found.contains(&architecture.name),
            "no checkpoint in tests/goldens/models, embeddings or mtp is of {}",
            architecture.name
        );
    }
}

/// In one chunk, in chunks of 32 with a remainder, and token by token.
const CHUNKS: [u32; 3] = [300, 32, 1];

/// The first architectures, whose checkpoints go through every way of every device here; of the others `INGLENOOK_FULL=1` takes every way.
const THOROUGH: [&str; 7] = ["llama", "biased", "mistral", "windowed", "sinks", "qwen2", "qwen3"];

fn chunks_of(name: &str) -> &'static [u32] {
    let is_thorough = THOROUGH.contains(&name) || std::env::var_os("INGLENOOK_FULL").is_some();
    if is_thorough { &CHUNKS } else { &CHUNKS[1..2] }
}

#[test]
fn models_on_the_cpu_equal_the_reference() {
    for name in names() {
        for chunk in CHUNKS {
            pollster::block_on(check(&name, Device::Cpu, chunk));
        }
    }
}

#[test]
fn models_on_the_gpu_equal_the_reference() {
    let gpu = gpu();
    for name in names() {
        for chunk in chunks_of(&name) {
            pollster::block_on(check(&name, gpu.clone(), *chunk));
        }
    }
}

/// Split attention and the variants that a real GPU tries first. `INGLENOOK_FULL=1` takes every model in every chunk size.
#[test]
fn models_on_the_path_of_real_gpus_equal_the_reference() {
    let gpu = gpu_as_hardware();
    assert!(!gpu.facts().software);
    let is_full = std::env::var_os("INGLENOOK_FULL").is_some();
    for name in names()
        .iter()
        .filter(|name| is_full || ["llama", "sinks", "qwen3", "gpt-oss", "gemma2"].contains(&name.as_str()))
    {
        for chunk in CHUNKS.into_iter().filter(|chunk| is_full || *chunk != 32) {
            pollster::block_on(check(name, gpu.clone(), chunk));
        }
    }
}

/// Chunks that end before, at and behind the ends of windows (37 and 101 tokens) and of pages (32).
#[test]
fn windows_and_sinks_equal_the_reference_wherever_chunks_end() {
    let gpu = gpu();
    let as_hardware = gpu_as_hardware();
    for (name, chunks) in [("windowed", [7, 36, 37, 38, 101]), ("sinks", [11, 37, 100, 101, 102])] {
        for chunk in chunks {
            pollster::block_on(check(name, Device::Cpu, chunk));
            pollster::block_on(check(name, gpu.clone(), chunk));
        }
        pollster::block_on(check(name, as_hardware.clone(), chunks[2]));
    }
}
