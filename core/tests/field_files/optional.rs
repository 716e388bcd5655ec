//! Optional things never stop a load, and what is not supported is no damage.

use inglenook::device::Device;
use inglenook::engine::ignored;
use inglenook::format::gguf::{Array, Value};
use inglenook::format::quant::TensorType;

use crate::edit::File;
use crate::{QUESTION, answer, greedy, load, refused, unsupported};

#[test]
fn optional_metadata_never_stops_a_load() {
    let cases: Vec<(&str, Value)> = vec![
        ("general.sampling.top_k", (-1i32).into()),
        ("general.sampling.top_k", "all".into()),
        ("general.sampling.temp", "hot".into()),
        ("general.sampling.temp", f32::NAN.into()),
        ("general.sampling.top_p", 7f32.into()),
        ("general.sampling.min_p", true.into()),
        ("general.name", 7u32.into()),
        ("general.file_type", "Q8_0".into()),
        ("general.quantization_version", (-1i64).into()),
        ("tokenizer.ggml.scores", "none".into()),
        ("tokenizer.ggml.scores", Value::Array(Array::F32(vec![f32::NAN]))),
        ("tokenizer.ggml.padding_token_id", (-1i32).into()),
    ];
    for (key, value) in cases {
        let mut engine = load(&File::ember().set(key, value.clone()), Device::Cpu)
            .unwrap_or_else(|error| panic!("{key} = {value:?}: {error}"));
        assert_eq!(answer(&mut engine, greedy(QUESTION)).unwrap().text, "17 + 25 = 42.", "{key}");
    }
    let engine = load(&File::ember().set("general.sampling.top_k", -1i32), Device::Cpu).unwrap();
    assert_eq!(engine.info().model.recommended.top_k, Some(0), "switched off");
    assert!(load(&File::ember().set("tokenizer.chat_template", 5u32), Device::Cpu).is_ok());
}

fn of_type(name: &str, id: u32) -> File {
    let mut file = File::ember();
    let tensor = file.tensor(name);
    tensor.ty = TensorType::Other(id);
    let weights = tensor.dims.iter().product::<u64>() as usize;
    tensor.data = tensor.ty.block().map_or(Vec::new(), |(len, bytes)| vec![0; weights / len * bytes]);
    file
}

#[test]
fn what_is_not_supported_is_no_damage() {
    unsupported(&of_type("blk.0.ffn_up.weight", 24), "I8");
    unsupported(&of_type("blk.1.attn_norm.weight", 28), "F64");
    unsupported(&of_type("output_norm.weight", 26), "I32");
    unsupported(&of_type("blk.0.ffn_up.weight", 1000), "1000");
    unsupported(&File::ember().set("general.architecture", "mamba9"), "mamba9");
    unsupported(&File::ember().set("general.type", "adapter"), "adapter");
    unsupported(&File::ember().set("tokenizer.ggml.model", "rwkv"), "rwkv");
    unsupported(&File::ember().set("tokenizer.ggml.pre", "of-tomorrow"), "of-tomorrow");
    let part = |no: u16| File::ember().set("split.no", no).set("split.count", 3u16);
    unsupported(&part(0), "part 1 of 3");
    // A later part has tensors alone.
    let mut last = part(2);
    last.entries.retain(|(key, _)| key.starts_with("split."));
    unsupported(&last, "part 3 of 3");
}

#[test]
fn damage_is_still_damage() {
    let mut reshaped = File::ember();
    let norm = reshaped.tensor("blk.0.attn_norm.weight");
    norm.dims = vec![norm.dims[0] / 8, 8];
    for file in [
        reshaped,
        File::ember().without("blk.2.ffn_down.weight"),
        File::ember().without("qwen3.block_count"),
        File::ember().set("qwen3.attention.head_count", 0u32),
        File::ember().set("split.no", 4u16).set("split.count", 2u16),
    ] {
        let (code, message) = refused(&file);
        assert_eq!(code, "BadFile", "{message}");
    }
}

#[test]
fn an_id_that_no_token_has_is_ignored_with_a_note_where_no_token_is_needed() {
    let cases: [(&str, Value); 5] = [
        ("seperator", u32::MAX.into()),
        ("eot", (-1i32).into()),
        ("eom", (-1i64).into()),
        ("unknown", 1_000_000u32.into()),
        ("eot", "none".into()),
    ];
    for (name, id) in cases {
        let key = format!("tokenizer.ggml.{name}_token_id");
        let file = File::ember().set(&key, id);
        assert!(ignored(&file.header().metadata).iter().any(|note| note.contains(&key)), "{key}");
        let mut engine = load(&file, Device::Cpu).expect(&key);
        assert_eq!(answer(&mut engine, greedy(QUESTION)).unwrap().text, "17 + 25 = 42.", "{key}");
    }
}

#[test]
fn a_blank_text_is_as_none() {
    for blank in ["", " \n"] {
        let file = File::ember().set("tokenizer.chat_template", blank);
        let without = File::ember().without("tokenizer.chat_template");
        let [blank, without] = [file, without].map(|file| {
            let mut engine = load(&file, Device::Cpu).expect("loads");
            answer(&mut engine, greedy(QUESTION)).map(|answer| answer.text).map_err(|error| error.to_string())
        });
        assert_eq!(blank, without);
    }
    assert!(load(&File::ember().set("tokenizer.ggml.pre", ""), Device::Cpu).is_ok());
    for kind in ["", " ", "Model", "MODEL"] {
        assert!(load(&File::ember().set("general.type", kind), Device::Cpu).is_ok(), "{kind:?}");
    }
}
