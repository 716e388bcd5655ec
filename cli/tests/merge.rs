//! `inglenook convert --lora` writes models that answer as PEFT's merged ones do.

use std::fs;
use std::path::{Path, PathBuf};
use std::process::{Command, Output};

use inglenook::engine::score::{LogitsEvaluator, ScoreOptions};
use inglenook::format::gguf::Gguf;
use inglenook::plan::KernelCache;
use inglenook::source::Memory;
use inglenook::{Device, KvType};
use pollster::block_on;
use serde_json::{Value, json};

/// Largest difference from the reference, as a share of the largest logit of a position: sums in another order stay below it.
const TOLERANCE: f32 = 1e-4;

fn goldens(path: &str) -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("../tests/goldens").join(path)
}

fn json_of(path: &Path) -> Value {
    serde_json::from_slice(&fs::read(path).expect("a golden")).expect("JSON")
}

fn convert(input: &Path, output: &Path, arguments: &[String]) -> Output {
    let mut command = Command::new(env!("CARGO_BIN_EXE_inglenook"));
    command.arg("convert").args([input, output]).args(arguments).output().expect("the program starts")
}

/// The file that is written.
fn converted(input: &Path, output: &Path, arguments: &[String]) -> Vec<u8> {
    let done = convert(input, output, arguments);
    assert!(done.status.success(), "{}", String::from_utf8_lossy(&done.stderr));
    fs::read(output).expect("it is written")
}

/// `--lora` for each adapter of a run, in the form that `path` names.
fn lora_arguments(run: &Value, path: impl Fn(&str) -> PathBuf) -> Vec<String> {
    let adapters = run["adapters"].as_object().expect("adapters");
    let argument = |(name, scale): (&String, &Value)| ["--lora".into(), format!("{}={scale}", path(name).display())];
    adapters.iter().flat_map(argument).chain(["--force".into()]).collect()
}

#[test]
fn merged_models_answer_as_with_the_adapters_of_peft() {
    let folder = tempfile::tempdir().expect("a folder");
    let output = folder.path().join("merged.gguf");
    for name in ["llama", "gemma3", "qwen3moe"] {
        let golden = json_of(&goldens(&format!("adapters/{name}.json")));
        let logits = fs::read(goldens(&format!("adapters/{name}.logits.f32"))).expect("logits");
        let logits: Vec<f32> = logits.as_chunks::<4>().0.iter().map(|bytes| f32::from_le_bytes(*bytes)).collect();
        let prompt: Vec<u32> = serde_json::from_value(golden["prompt"].clone()).expect("token ids");
        let runs = golden["runs"].as_array().expect("runs");
        let (input, per_run) = (goldens(&format!("models/{name}.gguf")), logits.len() / runs.len());
        for (run, expected) in runs.iter().zip(logits.chunks(per_run)).skip(1) {
            let in_type = |mut arguments: Vec<String>| {
                arguments.extend(["--type", "f32"].map(String::from));
                arguments
            };
            let of_peft = lora_arguments(run, |adapter| goldens(&format!("adapters/{name}/{adapter}")));
            let merged = converted(&input, &output, &in_type(of_peft));
            let of_gguf = lora_arguments(run, |adapter| goldens(&format!("adapters/{name}/{adapter}.gguf")));
            assert!(converted(&input, &output, &in_type(of_gguf)) == merged, "{name}: {}", run["adapters"]);
            let options = ScoreOptions { chunk: 64, context: 64, kv: KvType::F32 };
            let mut kernels = KernelCache::new(Device::Cpu);
            kernels.set_exact_activations(true);
            let scorer = block_on(LogitsEvaluator::load(kernels, &Memory(merged), options));
            let found = block_on(scorer.expect("it loads").logits(&prompt)).expect("computes");
            let vocab = golden["vocab_size"].as_u64().expect("a size") as usize;
            for (found, expected) in found[found.len() - per_run..].chunks(vocab).zip(expected.chunks(vocab)) {
                let largest = expected.iter().fold(0.0f32, |max, logit| max.max(logit.abs()));
                let worst = found.iter().zip(expected).map(|(a, b)| (a - b).abs()).fold(0.0, f32::max);
                assert!(worst < TOLERANCE * largest, "{name}, {}: {worst} of {largest}", run["adapters"]);
            }
        }
    }
}

/// A folder with a model of the sizes for which the adapter `loras/llama` is.
fn folder_of_llama(folder: &Path) {
    let config = json!({
        "model_type": "llama", "architectures": ["LlamaForCausalLM"], "vocab_size": 40, "hidden_size": 32, "intermediate_size": 48,
        "num_hidden_layers": 2, "num_attention_heads": 4, "num_key_value_heads": 2, "max_position_embeddings": 64, "rms_norm_eps": 1e-5,
        "tie_word_embeddings": false,
    });
    fs::write(folder.join("config.json"), config.to_string()).expect("written");
    let mut shapes = vec![
        ("model.embed_tokens".into(), vec![40, 32]),
        ("lm_head".into(), vec![40, 32]),
        ("model.norm".into(), vec![32]),
    ];
    for layer in 0..2 {
        let named = [
            ("self_attn.q_proj", vec![32, 32]),
            ("self_attn.k_proj", vec![16, 32]),
            ("self_attn.v_proj", vec![16, 32]),
            ("self_attn.o_proj", vec![32, 32]),
            ("mlp.gate_proj", vec![48, 32]),
            ("mlp.up_proj", vec![48, 32]),
            ("mlp.down_proj", vec![32, 48]),
            ("input_layernorm", vec![32]),
            ("post_attention_layernorm", vec![32]),
        ];
        shapes.extend(named.map(|(name, shape)| (format!("model.layers.{layer}.{name}"), shape)));
    }
    let (mut header, mut data) = (serde_json::Map::new(), Vec::new());
    for (name, shape) in shapes {
        let begin = data.len();
        let values = (0..shape.iter().product::<usize>()).map(|at| ((begin + at * at) as f32 * 0.37).sin());
        data.extend(values.flat_map(f32::to_le_bytes));
        let tensor = json!({"dtype": "F32", "shape": shape, "data_offsets": [begin, data.len()]});
        header.insert(format!("{name}.weight"), tensor);
    }
    let header = Value::Object(header).to_string();
    let file = [&(header.len() as u64).to_le_bytes()[..], header.as_bytes(), &data].concat();
    fs::write(folder.join("model.safetensors"), file).expect("written");
}

#[test]
fn adapters_are_merged_into_folders_of_hugging_face() {
    let folder = tempfile::tempdir().expect("a folder");
    let (model, output) = (folder.path().join("model"), folder.path().join("out.gguf"));
    fs::create_dir(&model).expect("a folder");
    folder_of_llama(&model);
    let convert = |arguments: &[&str]| {
        let arguments: Vec<String> = arguments.iter().map(ToString::to_string).collect();
        converted(&model, &output, &arguments)
    };
    let plain = convert(&["--type", "f32"]);
    let adapter = goldens("loras/llama");
    let merged = convert(&["--type", "f32", "--force", "--lora", &format!("{}=0.5", adapter.display())]);
    let header = |bytes: &Vec<u8>| block_on(Gguf::read(&Memory(bytes.clone()))).expect("a header");
    let (before, after) = (header(&plain), header(&merged));
    let described = json_of(&goldens("loras/llama.json"));
    for (name, weight) in described["weights"].as_object().expect("weights") {
        let row_of = |bytes: &[u8], gguf: &Gguf, row: usize| -> Vec<f32> {
            let info = gguf.find(name).expect("it has it");
            let bytes = &bytes[info.offset as usize..info.end() as usize];
            let floats: Vec<f32> = bytes.as_chunks::<4>().0.iter().map(|bytes| f32::from_le_bytes(*bytes)).collect();
            let columns = info.row_len() as usize;
            floats[row * columns..][..columns].to_vec()
        };
        for (row, expected) in weight["rows"].as_object().expect("rows") {
            let row = row.parse().expect("a number");
            let (before, after) = (row_of(&plain, &before, row), row_of(&merged, &after, row));
            for ((before, after), expected) in before.iter().zip(&after).zip(expected.as_array().expect("numbers")) {
                let expected = 0.5 * expected.as_f64().expect("a number") as f32;
                assert!((after - before - expected).abs() < 1e-6, "{name} {row}: {before} {after} {expected}");
            }
        }
    }
}

#[test]
fn adapters_that_cannot_be_merged_are_refused_and_leave_nothing() {
    let folder = tempfile::tempdir().expect("a folder");
    let output = folder.path().join("out.gguf");
    let llama = goldens("models/llama.gguf");
    for (lora, wanted) in [
        (goldens("adapters/gemma3/a.gguf"), "architecture \"gemma3\""),
        (goldens("adapters/gemma3/a"), "of another model"),
        (goldens("loras/llama"), "of another model"),
        (llama.clone(), "no LoRA adapter"),
        (goldens("adapters"), "adapter_config.json"),
        (goldens("adapters/none.gguf"), "cannot open"),
    ] {
        let done = convert(&llama, &output, &["--lora".into(), lora.display().to_string()]);
        let message = String::from_utf8_lossy(&done.stderr).into_owned();
        assert!(!done.status.success() && message.contains(wanted), "{}: {message}", lora.display());
        assert_eq!(fs::read_dir(folder.path()).expect("a folder").count(), 0);
    }
    let done = convert(&llama, &output, &[]);
    assert!(String::from_utf8_lossy(&done.stderr).contains("--type"), "one of both is needed");
}
