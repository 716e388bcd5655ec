//! Models with LoRA adapters against PEFT: logits of a prompt's last positions, and greedy tokens, with each adapter and with several.

use std::collections::{BTreeMap, BTreeSet};
use std::path::PathBuf;

use inglenook::Device;
use inglenook::engine::request::{AdapterChoice, Request};
use inglenook::engine::score::{LogitsEvaluator, ScoreOptions};
use inglenook::format::gguf::Gguf;
use inglenook::kernels::kv::KvType;
use inglenook::lora::Lora;
use inglenook::model::Model;
use inglenook::plan::KernelCache;
use inglenook::source::Memory;
use pollster::block_on;

use crate::gpu;
use crate::model_goldens::difference;
use crate::oracle::{load, options, read};

/// As of goldens without adapters.
const TOLERANCE: f32 = 1e-3;

#[derive(serde::Deserialize)]
struct Golden {
    model: String,
    logits: String,
    vocab_size: usize,
    positions: usize,
    text: String,
    prompt: Vec<u32>,
    runs: Vec<Run>,
}

#[derive(serde::Deserialize)]
struct Run {
    adapters: BTreeMap<String, f32>,
    greedy: Vec<u32>,
}

struct Case {
    golden: Golden,
    model: Memory<Vec<u8>>,
    /// Of each run `[positions, vocab_size]`.
    logits: Vec<f32>,
    adapters: BTreeMap<String, Lora>,
}

fn folder() -> PathBuf {
    PathBuf::from(env!("CARGO_MANIFEST_DIR")).join("../tests/goldens/adapters")
}

/// Models that have goldens with adapters.
fn names() -> Vec<String> {
    let files =
        std::fs::read_dir(folder()).expect("the folder of goldens").map(|entry| entry.expect("an entry").file_name());
    let mut names: Vec<String> =
        files.filter_map(|file| Some(file.to_str()?.strip_suffix(".json")?.to_owned())).collect();
    names.sort();
    assert!(names.len() >= 2);
    names
}

fn case(name: &str) -> Case {
    let bytes = |file: &str| std::fs::read(folder().join(file)).unwrap_or_else(|error| panic!("{file}: {error}"));
    let golden: Golden = serde_json::from_slice(&bytes(&format!("{name}.json"))).expect("a golden");
    let model = Memory(bytes(&golden.model));
    let adapter = |adapter: &String| block_on(Lora::read(&Memory(bytes(&format!("{name}/{adapter}.gguf")))));
    let named: BTreeSet<&String> = golden.runs.iter().flat_map(|run| run.adapters.keys()).collect();
    let adapters = named.into_iter().map(|name| (name.clone(), adapter(name).expect("an adapter"))).collect();
    let logits = bytemuck::pod_collect_to_vec(&bytes(&golden.logits));
    Case { golden, model, logits, adapters }
}

fn logits_equal_the_reference(name: &str, device: &Device, chunk: u32) {
    let Case { golden, model, logits, adapters } = case(name);
    let header = block_on(Gguf::read(&model)).expect("a header");
    let expected = logits.chunks_exact(golden.positions * golden.vocab_size);
    for (Run { adapters: chosen, .. }, expected) in golden.runs.iter().zip(expected) {
        let loaded = block_on(Model::load(&header, &model, device, 400, &mut |_, _| true)).expect("loads");
        let options = ScoreOptions { chunk, context: 400, kv: KvType::F32 };
        let chosen: Vec<(&Lora, f32)> = chosen.iter().map(|(name, scale)| (&adapters[name], *scale)).collect();
        let mut kernels = KernelCache::new(device.clone());
        kernels.set_exact_activations(true);
        let scorer = LogitsEvaluator::with_adapters(kernels, loaded, options, &chosen);
        let found = block_on(block_on(scorer).expect("a plan").logits(&golden.prompt)).expect("computes");
        let last = &found[found.len() - expected.len()..];
        let rows = expected.chunks(golden.vocab_size).zip(last.chunks(golden.vocab_size));
        let worst = rows.map(|(expected, found)| difference(expected, found)).fold(0.0, f32::max);
        println!("{name} {chunk} {}: {worst:.1e}", chosen.len());
        assert!(worst < TOLERANCE, "{name}, chunks of {chunk}: off by {worst:.1e}");
    }
}

#[test]
fn logits_with_adapters_equal_those_of_peft_on_the_cpu() {
    for name in names() {
        [1, 7, 64].iter().for_each(|chunk| logits_equal_the_reference(&name, &Device::Cpu, *chunk));
    }
}

#[test]
fn logits_with_adapters_equal_those_of_peft_on_the_gpu() {
    for name in names() {
        [1, 64].iter().for_each(|chunk| logits_equal_the_reference(&name, &gpu(), *chunk));
    }
}

/// All runs at once.
#[test]
fn greedy_tokens_with_adapters_equal_those_of_peft_in_one_batch() {
    for name in names() {
        let Case { golden, model, adapters, .. } = case(&name);
        let engine = load(Device::Cpu, &model.0, &options(golden.runs.len() as u32));
        for (name, adapter) in &adapters {
            block_on(engine.load_adapter(name, adapter)).expect("loads");
        }
        let answers = golden.runs.iter().map(|run| {
            let lora = run.adapters.iter().map(|(name, scale)| AdapterChoice { name: name.clone(), scale: *scale });
            let request = Request {
                prompt: Some(golden.text.clone()),
                temperature: Some(0.0),
                max_tokens: Some(run.greedy.len() as u32),
                ignore_eos: Some(true),
                lora: lora.collect(),
                ..Request::default()
            };
            assert_eq!(engine.prompt_tokens(&request).expect("a prompt"), golden.prompt, "{name}");
            read(engine.submit(request).expect("good"))
        });
        let answers = block_on(futures_util::future::join_all(answers));
        for ((tokens, _), run) in answers.iter().zip(&golden.runs) {
            assert_eq!(*tokens, run.greedy, "{name} {:?}", run.adapters);
        }
    }
}
