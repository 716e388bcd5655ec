//! LoRA adapters: those that PEFT wrote add what PEFT adds, GGUF files give the same, and damaged ones are refused by name.
#![cfg(feature = "hf")]

use std::collections::{BTreeMap, BTreeSet};
use std::fs;
use std::future::ready;
use std::path::{Path, PathBuf};

use inglenook_format::gguf::Gguf;
use inglenook_format::gguf::write::GgufWriter;
use inglenook_format::hf::{Directory, read_lora};
use inglenook_format::lora::{Lora, LoraError, LowRank};
use inglenook_format::quant::WeightType;
use inglenook_format::source::{LocalFuture, Memory, Source, SourceError};
use serde_json::Value;

/// Files in memory.
#[derive(Clone, Default)]
struct Files(BTreeMap<String, Vec<u8>>);

impl Directory for Files {
    fn open<'a>(&'a self, name: &'a str) -> LocalFuture<'a, Result<Option<Box<dyn Source>>, SourceError>> {
        let source = self.0.get(name).map(|bytes| Box::new(Memory(bytes.clone())) as Box<dyn Source>);
        Box::pin(ready(Ok(source)))
    }
}

fn goldens() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("../tests/goldens/loras")
}

/// The folder of an adapter, and what its JSON file says.
fn golden(name: &str) -> (Files, Value) {
    let read = |file: &str| fs::read(goldens().join(name).join(file)).unwrap();
    let files = ["adapter_config.json", "adapter_model.safetensors"].map(|file| (file.to_owned(), read(file)));
    let described = fs::read(goldens().join(format!("{name}.json"))).unwrap();
    (Files(files.into()), serde_json::from_slice(&described).unwrap())
}

fn dims(weight: &Value) -> Vec<u64> {
    weight["dims"].as_array().unwrap().iter().map(|dim| dim.as_u64().unwrap()).collect()
}

/// The header of the model that an adapter is for.
fn base(described: &Value) -> Gguf {
    let architecture = described["architecture"].as_str().unwrap();
    let mut writer = GgufWriter::new();
    writer.entry("general.architecture", architecture);
    for (key, value) in described["keys"].as_object().unwrap() {
        writer.entry(&format!("{architecture}.{key}"), value.as_u64().unwrap() as u32);
    }
    let mut bytes = Vec::new();
    let weights = described["weights"].as_object().unwrap();
    for (name, weight) in weights {
        writer.tensor(name, &dims(weight), WeightType::F32).unwrap();
    }
    let mut out = writer.start(&mut bytes).unwrap();
    for weight in weights.values() {
        out.write(&vec![0; dims(weight).iter().product::<u64>() as usize * 4]).unwrap();
    }
    out.finish().unwrap();
    pollster::block_on(Gguf::read(&Memory(bytes))).unwrap()
}

fn read(files: &Files, described: &Value) -> Result<Lora, LoraError> {
    pollster::block_on(read_lora(files, &base(described)))
}

/// A row of what is added.
fn row(low_rank: &LowRank, row: usize) -> Vec<f32> {
    let b = &low_rank.b[row * low_rank.rank..][..low_rank.rank];
    let column = |at: usize| b.iter().enumerate().map(|(k, b)| b * low_rank.a[k * low_rank.inputs() + at]).sum::<f32>();
    (0..low_rank.inputs()).map(|at| low_rank.scale * column(at)).collect()
}

fn check(lora: &Lora, described: &Value) {
    let weights = described["weights"].as_object().unwrap();
    let names: BTreeSet<&String> = weights.keys().collect();
    assert!(lora.weights.keys().eq(names), "{:?}", lora.weights.keys());
    for (name, weight) in weights {
        let low_rank = &lora.weights[name];
        assert_eq!(vec![low_rank.inputs() as u64, low_rank.outputs() as u64], dims(weight), "{name}");
        for (number, expected) in weight["rows"].as_object().unwrap() {
            let found = row(low_rank, number.parse().unwrap());
            for (found, expected) in found.iter().zip(expected.as_array().unwrap()) {
                // The order of sums differs, and the reference was rounded to seven places.
                assert!(
                    (found - expected.as_f64().unwrap() as f32).abs() < 1e-5,
                    "{name}, row {number}: {found} {expected}"
                );
            }
        }
    }
}

const ADAPTERS: [&str; 3] = ["llama", "stabilised", "patterns"];

#[test]
fn adapters_of_peft_add_what_peft_adds() {
    for name in ADAPTERS {
        let (files, described) = golden(name);
        let lora = read(&files, &described).unwrap_or_else(|error| panic!("{name}: {error}"));
        check(&lora, &described);
    }
}

#[test]
fn adapters_of_peft_and_of_gguf_files_are_the_same() {
    let goldens = goldens().join("../adapters");
    for name in ["llama", "gemma3", "qwen3moe"] {
        let model = fs::read(goldens.join(format!("../models/{name}.gguf"))).unwrap();
        let model = pollster::block_on(Gguf::read(&Memory(model))).unwrap();
        for adapter in ["a", "b", "c"] {
            let read = |file: &str| fs::read(goldens.join(name).join(adapter).join(file)).unwrap();
            let files = ["adapter_config.json", "adapter_model.safetensors"].map(|file| (file.to_owned(), read(file)));
            let of_peft = pollster::block_on(read_lora(&Files(files.into()), &model)).unwrap();
            let of_gguf = read_gguf(fs::read(goldens.join(format!("{name}/{adapter}.gguf"))).unwrap()).unwrap();
            assert!(of_gguf == of_peft, "{name} {adapter}");
            let size = |name: &str| model.find(name).map(|matrix| [matrix.row_len(), matrix.rows()]);
            assert_eq!(of_gguf.check(name, size), Ok(()));
        }
    }
}

/// An adapter as a GGUF file, with other names or numbers where `change` gives some.
fn gguf(lora: &Lora, alpha: f32, change: impl Fn(&str) -> Option<String>, poison: Option<f32>) -> Vec<u8> {
    let mut writer = GgufWriter::new();
    writer.entry("general.type", "adapter").entry("adapter.type", "lora");
    writer.entry("general.architecture", lora.architecture.as_deref().unwrap());
    writer.entry("adapter.lora.alpha", alpha);
    let mut data = Vec::new();
    for (name, low_rank) in &lora.weights {
        let (rank, inputs, outputs) = (low_rank.rank as u64, low_rank.inputs() as u64, low_rank.outputs() as u64);
        for (end, dims, values) in [("a", [inputs, rank], &low_rank.a), ("b", [rank, outputs], &low_rank.b)] {
            let name = format!("{name}.lora_{end}");
            let name = change(&name).unwrap_or(name);
            if !name.is_empty() {
                writer.tensor(&name, &dims, WeightType::F32).unwrap();
                data.push(values.clone());
            }
        }
    }
    if let Some(value) = poison {
        data[0][3] = value;
    }
    let mut out = writer.start(Vec::new()).unwrap();
    for values in data {
        out.write(&values.iter().flat_map(|value| value.to_le_bytes()).collect::<Vec<u8>>()).unwrap();
    }
    out.finish().unwrap()
}

fn read_gguf(bytes: Vec<u8>) -> Result<Lora, LoraError> {
    pollster::block_on(Lora::read(&Memory(bytes)))
}

#[test]
fn an_adapter_in_a_gguf_file_is_the_same() {
    let (files, described) = golden("llama");
    let lora = read(&files, &described).unwrap();
    let again = read_gguf(gguf(&lora, 8.0, |_| None, None)).unwrap();
    assert_eq!(again, lora);
    let plain = read_gguf(gguf(&lora, 0.0, |_| None, None)).unwrap();
    assert!(plain.weights.values().all(|low_rank| low_rank.scale == 1.0));
    let model = base(&described);
    assert_eq!(again.check("llama", |name| model.find(name).map(|matrix| [matrix.row_len(), matrix.rows()])), Ok(()));
}

#[test]
fn a_folder_written_as_a_gguf_file_adds_the_same() {
    for name in ADAPTERS {
        let (files, described) = golden(name);
        let lora = read(&files, &described).unwrap();
        let again = read_gguf(lora.to_gguf().unwrap()).unwrap();
        let scaled = lora.weights.into_iter().map(|(name, LowRank { rank, a, b, scale })| {
            let b = b.into_iter().map(|value| value * scale).collect();
            (name, LowRank { rank, a, b, scale: 1.0 })
        });
        let lora = Lora { weights: scaled.collect(), ..lora };
        assert!(again == lora, "{name}");
    }
}

#[test]
fn damaged_adapters_in_gguf_files_are_refused_by_name() {
    let (files, described) = golden("llama");
    let lora = read(&files, &described).unwrap();
    let first = "blk.0.attn_k.weight";
    let renamed = |from: &'static str, to: &'static str| move |name: &str| (name == from).then(|| to.to_owned());
    let missing = read_gguf(gguf(&lora, 8.0, renamed("blk.0.attn_k.weight.lora_b", ""), None)).unwrap_err();
    assert_eq!(missing, LoraError::Missing { name: first.into(), part: "B" });
    let other = read_gguf(gguf(&lora, 8.0, renamed("blk.0.attn_k.weight.lora_b", "x"), None)).unwrap_err();
    assert!(other.to_string().contains("the tensor \"x\", which is not supported"), "{other}");
    let embeddings = renamed("blk.0.attn_k.weight.lora_a", "token_embd.weight.lora_a");
    let error = read_gguf(gguf(&lora, 8.0, embeddings, None)).unwrap_err();
    assert!(error.to_string().contains("embeddings"), "{error}");
    let nan = read_gguf(gguf(&lora, 8.0, |_| None, Some(f32::INFINITY))).unwrap_err();
    assert_eq!(nan, LoraError::NotFinite { name: first.into(), part: "A", value: f32::INFINITY });
    let mut uneven = lora.clone();
    uneven.weights.retain(|name, _| name == first);
    let low_rank = uneven.weights.get_mut(first).unwrap();
    low_rank.b.truncate(low_rank.b.len() / 2);
    let model = base(&described);
    assert!(matches!(
        uneven.check("llama", |name| model.find(name).map(|matrix| [matrix.row_len(), matrix.rows()])),
        Err(LoraError::BaseShape { .. })
    ));
    let mut writer = GgufWriter::new();
    writer.entry("general.type", "adapter").entry("adapter.type", "lora");
    writer
        .tensor("w.lora_a", &[32, 4], WeightType::F32)
        .unwrap()
        .tensor("w.lora_b", &[5, 32], WeightType::F32)
        .unwrap();
    let mut out = writer.start(Vec::new()).unwrap();
    out.write(&[0; 32 * 4 * 4]).unwrap();
    out.write(&[0; 5 * 32 * 4]).unwrap();
    let ranks = read_gguf(out.finish().unwrap()).unwrap_err();
    assert_eq!(ranks, LoraError::Shape { name: "w".into(), a: [4, 32], b: [32, 5] });
    let model = GgufWriter::new().entry("general.architecture", "llama").start(Vec::new()).unwrap().finish().unwrap();
    assert!(matches!(read_gguf(model).unwrap_err(), LoraError::NotAdapter { key: "general.type", .. }));
}

#[test]
fn adapters_of_peft_that_do_not_fit_are_refused_by_name() {
    let refused = |change: &dyn Fn(&mut Files, &mut Value)| {
        let (mut files, mut described) = golden("llama");
        change(&mut files, &mut described);
        read(&files, &described).unwrap_err()
    };
    let config = |files: &mut Files, from: &str, to: &str| {
        let text = String::from_utf8(files.0["adapter_config.json"].clone()).unwrap();
        assert!(text.contains(from), "{from}");
        files.0.insert("adapter_config.json".into(), text.replace(from, to).into_bytes());
    };
    let dora = refused(&|files, _| config(files, "\"use_dora\": false", "\"use_dora\": true"));
    assert!(dora.to_string().contains("DoRA"), "{dora}");
    let rank = refused(&|files, _| config(files, "\"r\": 4", "\"r\": 5"));
    assert!(matches!(rank, LoraError::StatedRank { found: 4, stated: 5, .. }), "{rank}");
    let wide = refused(&|_, described| described["weights"]["blk.0.attn_q.weight"]["dims"][0] = 64.into());
    assert!(matches!(wide, LoraError::BaseShape { .. }), "{wide}");
    let lost =
        refused(&|_, described| drop(described["weights"].as_object_mut().unwrap().remove("blk.1.ffn_up.weight")));
    assert_eq!(lost, LoraError::UnknownWeight { name: "blk.1.ffn_up.weight".into() });
    let other = refused(&|_, described| described["architecture"] = "mamba".into());
    assert!(other.to_string().contains("\"mamba\""), "{other}");
    let gone = refused(&|files, _| drop(files.0.remove("adapter_model.safetensors")));
    assert!(gone.to_string().contains("lacks adapter_model.safetensors"), "{gone}");
    let none = refused(&|files, _| drop(files.0.remove("adapter_config.json")));
    assert!(none.to_string().contains("lacks adapter_config.json"), "{none}");
}
