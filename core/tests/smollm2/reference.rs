//! Logits at 4,000 tokens of context against HF transformers, in float32 on the dequantised weights.

use inglenook::device::Device;
use inglenook::engine::score::{LogitsEvaluator, ScoreOptions};
use inglenook::kernels::kv::KvType;
use inglenook::plan::KernelCache;
use pollster::block_on;

use crate::{file, gpu, model};

/// Largest difference, as a share of the largest |logit| of a position.
const TOLERANCE: f32 = 1e-3;
/// Tokens computed at once: no multiple of a page or a tile, so that chunks end everywhere within them.
const CHUNK: u32 = 217;

/// What `tests/goldens/smollm2.py` writes.
#[derive(serde::Deserialize)]
struct Reference {
    tokens: Vec<u32>,
    positions: Vec<usize>,
    vocabulary: usize,
}

fn check(device: Device) {
    let read = |name: &str| std::fs::read(file(name)).unwrap_or_else(|error| panic!("{name}: {error}"));
    let reference: Reference = serde_json::from_slice(&read("reference.json")).expect("valid JSON");
    let expected: Vec<f32> = bytemuck::pod_collect_to_vec(&read("reference.logits.f32"));
    let options = ScoreOptions { chunk: CHUNK, context: reference.tokens.len() as u32, kv: KvType::F32 };
    let evaluator = block_on(LogitsEvaluator::load(KernelCache::new(device), &model(), options)).expect("loads");
    let mut worst = (0.0, 0);
    for (chunk, first) in reference.tokens.chunks(CHUNK as usize).zip((0..).step_by(CHUNK as usize)) {
        let logits = block_on(evaluator.extend(first as u32, chunk)).expect("computes");
        for (position, expected) in reference.positions.iter().zip(expected.chunks(reference.vocabulary)) {
            if let Some(row) = position.checked_sub(first).filter(|row| *row < chunk.len()) {
                let found = &logits[row * reference.vocabulary..][..reference.vocabulary];
                let difference = difference(expected, found);
                println!("position {position}: {difference:.1e}");
                worst = if difference > worst.0 { (difference, *position) } else { worst };
            }
        }
    }
    assert!(worst.0 <= TOLERANCE, "logits at position {} differ by {:.1e} of the largest", worst.1, worst.0);
}

/// Largest difference of two vectors as a share of the largest magnitude of the first.
fn difference(expected: &[f32], found: &[f32]) -> f32 {
    let scale = expected.iter().fold(0.0f32, |max, v| max.max(v.abs()));
    let worst = expected.iter().zip(found).map(|(e, f)| (e - f).abs()).fold(0.0, f32::max);
    if found.iter().all(|v| v.is_finite()) { worst / scale } else { f32::INFINITY }
}

#[test]
#[ignore = "needs a model and its reference: cargo xtask smollm2"]
fn smollm2_equals_the_reference_at_4000_tokens_on_the_cpu() {
    check(Device::Cpu);
}

#[test]
#[ignore = "needs a model and its reference: cargo xtask smollm2"]
fn smollm2_equals_the_reference_at_4000_tokens_on_the_gpu() {
    check(gpu());
}
