//! Importance matrices against those of torch, of what `tests/goldens/generator/imatrix.py` says.

use std::fs;
use std::path::PathBuf;

use inglenook::device::Device;
use inglenook::engine::score::{LogitsEvaluator, ScoreOptions};
use inglenook::format::gguf::Gguf;
use inglenook::format::imatrix::{self, Imatrix};
use inglenook::model::Model;
use inglenook::plan::KernelCache;
use inglenook::source::Memory;
use pollster::block_on;

use super::*;

/// Largest difference of a sum, as a share of the largest of its matrix and expert.
const TOLERANCE: f32 = 1e-4;

fn golden(path: &str) -> Vec<u8> {
    let path = PathBuf::from(env!("CARGO_MANIFEST_DIR")).join("../tests/goldens").join(path);
    fs::read(&path).unwrap_or_else(|error| panic!("{}: {error}", path.display()))
}

/// The sums of a checkpoint on the prompt of its golden, which is computed in chunks.
fn sums_of(name: &str, chunk: u32) -> Vec<imatrix::ColumnSums> {
    let source = Memory(golden(&format!("models/{name}.gguf")));
    let json: serde_json::Value = serde_json::from_slice(&golden(&format!("models/{name}.json"))).expect("JSON");
    let prompt: Vec<u32> = serde_json::from_value(json["prompt"].clone()).expect("tokens");
    let gguf = block_on(Gguf::read(&source)).expect("a header");
    let model = block_on(Model::load(&gguf, &source, &Device::Cpu, 400, &mut |_, _| true)).expect("loads");
    let options = ScoreOptions { chunk, context: 400, kv: KvType::F32 };
    let evaluator = block_on(LogitsEvaluator::of_model(KernelCache::new(Device::Cpu), model, options)).expect("a plan");
    let mut sums = Sums::new(evaluator.model().placed(), |_| true);
    for (piece, position) in prompt.chunks(chunk as usize).zip((0..).step_by(chunk as usize)) {
        evaluator.observe(position, piece, &mut |input| sums.add(input));
    }
    sums.into_columns()
}

#[test]
fn importances_equal_those_of_torch_whatever_is_computed_at_once() {
    for (name, chunk) in [("phi3", 64), ("phi3", 1), ("qwen3moe", 64), ("qwen3moe", 3)] {
        let expected: serde_json::Value =
            serde_json::from_slice(&golden(&format!("imatrix/{name}.json"))).expect("JSON");
        let found = sums_of(name, chunk);
        let names: Vec<&str> = found.iter().map(|matrix| matrix.name.as_str()).collect();
        let known: Vec<&String> = expected.as_object().expect("an object").keys().collect();
        assert_eq!(names, known, "{name}");
        for matrix in found {
            let of = |key: &str| -> Vec<f32> {
                serde_json::from_value(expected[&matrix.name][key].clone()).expect("numbers")
            };
            assert_eq!(matrix.counts, of("counts"), "{name}: {}", matrix.name);
            let (sums, columns) = (of("sums"), matrix.sums.len() / matrix.counts.len());
            assert_eq!(matrix.sums.len(), sums.len(), "{name}: {}", matrix.name);
            for (found, expected) in matrix.sums.chunks(columns).zip(sums.chunks(columns)) {
                let largest = expected.iter().copied().fold(0.0, f32::max);
                let worst = found.iter().zip(expected).map(|(a, b)| (a - b).abs()).fold(0.0, f32::max);
                assert!(
                    worst <= TOLERANCE * largest,
                    "{name} {chunk}: {} differs by {worst} of {largest}",
                    matrix.name
                );
            }
        }
    }
}

#[test]
fn importances_fit_the_tensors_of_their_model() {
    let matrices = sums_of("qwen3moe", 64);
    let file = imatrix::write(Vec::new(), "a text", (1, 200), &matrices).expect("memory takes it");
    let imatrix = block_on(Imatrix::read(&Memory(file))).expect("an importance matrix");
    let gguf = block_on(Gguf::read(&Memory(golden("models/qwen3moe.gguf")))).expect("a header");
    let fitting = gguf.tensors().iter().filter(|tensor| imatrix.of(tensor).expect("shapes that fit").is_some());
    assert_eq!(fitting.count(), matrices.len());
}
