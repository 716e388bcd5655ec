//! Each checkpoint's vectors of texts of several lengths, packed into steps, against texts that ran alone in transformers.

use inglenook::Device;
use pollster::block_on;
use serde_json::Value;

use crate::support::{gpu, gpu_as_hardware};
use crate::{file, load, purpose_of};

/// Largest difference from the reference, as a share of a vector's largest number: see `model_goldens.rs`.
const TOLERANCE: f32 = 1e-3;

/// Every checkpoint, by name.
fn names() -> Vec<String> {
    let folder = concat!(env!("CARGO_MANIFEST_DIR"), "/../tests/goldens/embeddings");
    let files = std::fs::read_dir(folder).expect("the goldens").map(|entry| entry.expect("an entry").file_name());
    let mut names: Vec<String> =
        files.filter_map(|name| Some(name.to_str()?.strip_suffix(".gguf")?.to_owned())).collect();
    names.sort();
    names
}

fn check(device: &Device, name: &str) {
    let golden: Value = serde_json::from_slice(&file(&format!("{name}.json"))).expect("valid JSON");
    let texts: Vec<Vec<u32>> = serde_json::from_value(golden["texts"].clone()).expect("token ids");
    let wanted: Vec<Vec<f32>> = serde_json::from_value(golden["vectors"].clone()).expect("vectors");
    let embedder = block_on(load(device, name, &purpose_of(name))).unwrap_or_else(|error| panic!("{name}: {error}"));
    let found = block_on(embedder.run(&texts)).unwrap_or_else(|error| panic!("{name}: {error}"));
    assert_eq!(found.len(), wanted.len());
    for ((found, wanted), text) in found.iter().zip(&wanted).zip(&texts) {
        assert_eq!(found.len(), wanted.len(), "{name}");
        let largest = wanted.iter().fold(0.0f32, |largest, value| largest.max(value.abs()));
        let worst = found.iter().zip(wanted).map(|(one, other)| (one - other).abs()).fold(0.0, f32::max);
        assert!(worst <= TOLERANCE * largest, "{name}: a text of {} differs by {:.1e}", text.len(), worst / largest);
    }
}

#[test]
fn embeddings_on_the_cpu_equal_the_reference() {
    names().iter().for_each(|name| check(&Device::Cpu, name));
}

#[test]
fn embeddings_on_the_gpu_equal_the_reference() {
    let gpu = gpu();
    names().iter().for_each(|name| check(&gpu, name));
}

#[test]
fn embeddings_on_the_path_of_real_gpus_equal_the_reference() {
    let gpu = gpu_as_hardware();
    names().iter().for_each(|name| check(&gpu, name));
}
