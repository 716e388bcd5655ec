//! Published models at their full size, cut to a few layers: logits against HF transformers, and the memory that a file's header says all layers
//! need against what a few take.
//!
//! The files are gigabytes of random weights and no part of the repository: `cargo xtask shapes` makes them and runs this.

use std::fs::File;
use std::path::PathBuf;
use std::process::Command;
use std::time::Instant;

use inglenook::Device;
use inglenook::engine::score::{LogitsEvaluator, ScoreOptions};
use inglenook::format::gguf::Gguf;
use inglenook::kernels::kv::KvType;
use inglenook::kv::{KvCache, KvOptions};
use inglenook::model::{FitOptions, Model};
use inglenook::plan::KernelCache;
use inglenook::source::ReadAt;
use pollster::block_on;

/// Largest difference of a logit, as a share of the largest of its position.
const TOLERANCE: f32 = 1e-3;
/// Largest difference of the memory computed, as a share of what is measured.
const MEMORY_TOLERANCE: f64 = 0.05;
/// How the prompt is cut: at once, and by the kernels of decoding.
const CHUNKS: [u32; 2] = [16, 1];
/// Tokens that an evaluator has room for.
const CONTEXT: u32 = 64;
/// What the memory is measured for.
const FIT: FitOptions =
    FitOptions { context: 4096, cache_tokens: 4096, slots: 1, kv: KvType::F16, rows: CHUNKS[0], mtp: false };

/// What the line begins with that says how many there are.
const BYTES: &str = "bytes: ";

/// What `tests/goldens/shapes.py` writes.
#[derive(serde::Deserialize)]
struct Shape {
    prompt: Vec<u32>,
    /// How often the difference of each other file from the first comes in what all layers have more than it.
    steps: Vec<i32>,
}

fn path(file: &str) -> PathBuf {
    PathBuf::from(std::env::var_os("INGLENOOK_SHAPES").expect("INGLENOOK_SHAPES: run `cargo xtask shapes`")).join(file)
}

fn open(file: &str) -> (Gguf, ReadAt<File>) {
    let source = ReadAt::new(File::open(path(file)).unwrap_or_else(|error| panic!("{file}: {error}"))).expect("a file");
    (block_on(Gguf::read(&source)).expect("a header"), source)
}

fn load(file: &str) -> Model {
    let (gguf, source) = open(file);
    block_on(Model::load(&gguf, &source, &Device::Cpu, FIT.context, &mut |_, _| true)).expect("loads")
}

fn evaluator(model: Model, chunk: u32, kv: KvType) -> LogitsEvaluator {
    let mut kernels = KernelCache::new(Device::Cpu);
    kernels.set_exact_activations(true);
    let options = ScoreOptions { chunk, context: CONTEXT, kv };
    block_on(LogitsEvaluator::of_model(kernels, model, options)).expect("a plan")
}

/// The largest difference of a position's logits, as a share of its largest.
fn difference(expected: &[f32], found: &[f32], vocab: usize) -> f32 {
    assert_eq!(expected.len(), found.len());
    assert!(found.iter().all(|logit| logit.is_finite()));
    let positions = expected.chunks(vocab).zip(found.chunks(vocab)).map(|(expected, found)| {
        let scale = expected.iter().fold(0.0f32, |max, logit| max.max(logit.abs()));
        expected.iter().zip(found).map(|(e, f)| (e - f).abs()).fold(0.0, f32::max) / scale
    });
    positions.fold(0.0, f32::max)
}

/// Bytes that this process has for data, used yet or not.
fn mapped() -> f64 {
    let status = std::fs::read_to_string("/proc/self/status").expect("Linux");
    let line = status.lines().find_map(|line| line.strip_prefix("VmData:")).expect("a line");
    line.trim().trim_end_matches(" kB").parse::<f64>().expect("a number") * 1024.0
}

/// Bytes that a model takes with a plan and the cache of a sequence, in a process of its own: what another has given back would be used again.
fn measured(file: &str) -> f64 {
    let mut child = Command::new(std::env::current_exe().expect("a program"));
    child.args(["bytes_of_one_file", "--exact", "--ignored", "--nocapture"]).env("INGLENOOK_SHAPE", file);
    let output = child.output().expect("starts").stdout;
    let output = String::from_utf8(output).expect("UTF-8");
    let bytes = output.lines().find_map(|line| line.strip_prefix(BYTES)).unwrap_or_else(|| panic!("{file}: {output}"));
    bytes.parse().expect("a number")
}

#[test]
#[ignore = "the other starts it"]
fn bytes_of_one_file() {
    let Ok(file) = std::env::var("INGLENOOK_SHAPE") else { return };
    let before = mapped();
    let model = load(&file);
    let groups = model.kv_groups(false);
    let pages = groups.iter().map(|group| group.lifetime.pool_pages(FIT.context, FIT.slots, FIT.rows)).collect();
    let options = KvOptions {
        groups,
        context: FIT.context,
        slots: FIT.slots,
        pages: Some(pages),
        ty: FIT.kv,
        segment_bytes: None,
        is_scratch: false,
    };
    let cache = KvCache::new(&Device::Cpu, &options).expect("memory");
    // The evaluator has one of its own, which does not count.
    let without = mapped();
    let short = KvOptions { context: CONTEXT, pages: None, ..options };
    let its_cache = KvCache::new(&Device::Cpu, &short).expect("memory");
    let uncounted = 2.0 * (mapped() - without);
    let evaluator = evaluator(model, FIT.rows, FIT.kv);
    let bytes = mapped() - before - uncounted;
    println!("\n{BYTES}{bytes}");
    drop((cache, its_cache, evaluator));
}

fn needed(file: &str) -> f64 {
    let needs = Model::memory_needed(&open(file).0, &Device::Cpu.facts().limits, &FIT).expect("a model that runs");
    needs.total(FIT.context.into()) as f64
}

fn check_logits(name: &str, shape: &Shape) {
    let bytes = std::fs::read(path(&format!("{name}.logits.f32"))).expect("the reference");
    let expected: Vec<f32> = bytemuck::pod_collect_to_vec(&bytes);
    for chunk in CHUNKS {
        let evaluator = evaluator(load(&format!("{name}.gguf")), chunk, KvType::F32);
        let vocab = evaluator.model().config().vocab as usize;
        let found = block_on(evaluator.logits(&shape.prompt)).expect("computes");
        let worst = difference(&expected, &found, vocab);
        println!("{name}: {} positions of {vocab} logits in chunks of {chunk} within {worst:.1e}", shape.prompt.len());
        assert!(worst <= TOLERANCE, "{name} in chunks of {chunk}: logits differ by {worst:.1e} of the largest");
    }
}

fn check_memory(name: &str, shape: &Shape) {
    let base = measured(&format!("{name}.gguf"));
    let steps = shape.steps.iter().enumerate().map(|(index, count)| {
        let step = measured(&format!("{name}-{index}.gguf")) - base;
        println!("{name}: layers of {:+.1} MB each way, {count} times", step / 1e6);
        step * f64::from(*count)
    });
    let whole = base + steps.sum::<f64>();
    let computed = needed(&format!("{name}-full.gguf"));
    let difference = computed / whole - 1.0;
    println!(
        "{name}: {:.3} GB computed from the header of all layers, {:.3} GB from measured layers ({:+.2} %); the few took {:.3} GB, {:.3} computed",
        computed / 1e9,
        whole / 1e9,
        difference * 100.0,
        base / 1e9,
        needed(&format!("{name}.gguf")) / 1e9,
    );
    assert!(difference.abs() <= MEMORY_TOLERANCE, "{name}: the memory computed is {:.1} % off", difference * 100.0);
}

#[test]
#[ignore = "needs files: cargo xtask shapes"]
fn published_shapes_answer_as_transformers_does_and_need_the_memory_computed() {
    let name = std::env::var("INGLENOOK_SHAPE").expect("INGLENOOK_SHAPE: the name of one");
    let shape = std::fs::read(path(&format!("{name}.json"))).expect("its description");
    let shape: Shape = serde_json::from_slice(&shape).expect("valid JSON");
    let begin = Instant::now();
    check_logits(&name, &shape);
    if cfg!(target_os = "linux") {
        check_memory(&name, &shape);
    }
    println!("{name}: {:.0} s", begin.elapsed().as_secs_f64());
}
