//! Damage that is easier told in code: GGUF vocabularies, sizes.

use inglenook_format::gguf::write::GgufWriter;
use inglenook_format::gguf::{Array, Strings, Value};

use crate::seeds;
use crate::{Vocabulary, try_out};

#[test]
fn sound_vocabularies_are_accepted() {
    for (number, seed) in seeds::all().iter().enumerate() {
        assert_eq!(try_out(seed), Ok(()), "seed {number}");
    }
}

const TOKENS: [&str; 5] = ["<unk>", "<s>", "</s>", "<0x41>", "▁a"];

/// A small vocabulary of the kind `model`, and what `change` does to it. Of a key that is written twice, the file is refused; so `change` gets
/// the entries before they are written.
fn vocabulary(model: &str, change: impl FnOnce(&mut Vec<(&'static str, Value)>)) -> Vocabulary {
    let strings = |texts: &[&str]| Value::from(texts.iter().collect::<Strings>());
    let mut entries = vec![
        ("tokenizer.ggml.model", Value::from(model)),
        ("tokenizer.ggml.pre", Value::from("default")),
        ("tokenizer.ggml.tokens", strings(&TOKENS)),
        ("tokenizer.ggml.token_type", Value::Array(Array::I32(vec![2, 3, 3, 6, 1]))),
        ("tokenizer.ggml.scores", Value::Array(Array::F32(vec![0.0; 5]))),
    ];
    change(&mut entries);
    let mut writer = GgufWriter::new();
    for (key, value) in entries {
        writer.entry(key, value);
    }
    Vocabulary::Gguf(writer.start(Vec::new()).unwrap().finish().unwrap())
}

/// Puts `value` in place of the entry `key`, or behind the others.
fn set(key: &'static str, value: impl Into<Value>) -> impl FnOnce(&mut Vec<(&'static str, Value)>) {
    let value = value.into();
    move |entries| {
        entries.retain(|entry| entry.0 != key);
        entries.push((key, value));
    }
}

#[test]
fn gguf_vocabularies_that_lie_are_refused_by_name() {
    let texts = |texts: &[&str]| Value::from(texts.iter().collect::<Strings>());
    let types = |types: &[i32]| Value::Array(Array::I32(types.to_vec()));
    let floats = |floats: &[f32]| Value::Array(Array::F32(floats.to_vec()));
    let bytes = |bytes: &[u8]| Value::Array(Array::U8(bytes.to_vec()));
    for (model, key, value, named) in [
        ("llama", "tokenizer.ggml.scores", types(&[0; 5]), "tokenizer.ggml.scores"),
        ("llama", "tokenizer.ggml.scores", floats(&[0.0; 4]), "4 entries for 5 tokens"),
        ("t5", "tokenizer.ggml.scores", floats(&[0.0; 6]), "6 entries for 5 tokens"),
        ("t5", "tokenizer.ggml.scores", floats(&[0.0, 0.0, 0.0, 0.0, f32::INFINITY]), "score of token 4"),
        ("llama", "tokenizer.ggml.scores", floats(&[0.0, f32::NAN, 0.0, 0.0, 0.0]), "score of token 1"),
        ("llama", "tokenizer.ggml.token_type", floats(&[1.0; 5]), "tokenizer.ggml.token_type"),
        ("gpt2", "tokenizer.ggml.token_type", types(&[1; 3]), "3 entries for 5 tokens"),
        ("gpt2", "tokenizer.ggml.token_type", types(&[1, 1, 1, 1, 77]), "unknown type 77"),
        ("gpt2", "tokenizer.ggml.token_type", types(&[3; 5]), "no token of text"),
        ("llama", "tokenizer.ggml.token_type", types(&[5; 5]), "no token of text"),
        ("gpt2", "tokenizer.ggml.tokens", types(&[1; 5]), "tokenizer.ggml.tokens"),
        ("gpt2", "tokenizer.ggml.tokens", texts(&[]), "empty"),
        ("llama", "tokenizer.ggml.tokens", texts(&["a", "b", "c", "<0x-1>", "d"]), "<0x-1>"),
        ("t5", "tokenizer.ggml.tokens", texts(&["a", "b", "c", "<0x4>", "d"]), "<0x4>"),
        ("gpt2", "tokenizer.ggml.merges", texts(&["x y"]), "merge 0 names \"x\""),
        ("gpt2", "tokenizer.ggml.merges", texts(&["xy"]), "merge 0 is \"xy\""),
        ("gemma4", "tokenizer.ggml.merges", texts(&["▁a <s>"]), "merge 0 names"),
        ("gpt2", "tokenizer.ggml.bos_token_id", 5u32.into(), "bos_token_id is 5"),
        ("gpt2", "tokenizer.ggml.bos_token_id", (-1i32).into(), "bos_token_id"),
        ("gpt2", "tokenizer.ggml.add_bos_token", true.into(), "bos_token_id is missing"),
        ("gpt2", "tokenizer.ggml.pre", "superbpe".into(), "\"superbpe\" is not known"),
        ("t5", "tokenizer.ggml.precompiled_charsmap", bytes(&[0xff; 9]), "character map is damaged"),
        (
            "rwkv",
            "tokenizer.ggml.pre",
            "default".into(),
            "\"rwkv\" is not supported; supported are gpt2, llama, t5, bert and gemma4",
        ),
        ("plamo2", "tokenizer.ggml.pre", "default".into(), "\"plamo2\" is not supported"),
    ] {
        let error = try_out(&vocabulary(model, set(key, value))).unwrap_err();
        assert!(error.contains(named), "{model}, {key}: {error}");
    }
}

#[test]
fn ids_that_a_vocabulary_need_not_have_may_name_no_token() {
    let (past, none) = (Value::from(u32::MAX), Value::from(-1i32));
    for (model, key, id) in [
        ("bert", "tokenizer.ggml.seperator_token_id", &past),
        ("bert", "tokenizer.ggml.unknown_token_id", &none),
        ("llama", "tokenizer.ggml.eot_token_id", &none),
        ("llama", "tokenizer.ggml.eom_token_id", &past),
        ("llama", "tokenizer.ggml.unknown_token_id", &past),
        ("t5", "tokenizer.ggml.unknown_token_id", &none),
    ] {
        assert_eq!(try_out(&vocabulary(model, set(key, id.clone()))), Ok(()), "{model}, {key}");
    }
}

#[test]
fn tiny_vocabularies_need_no_special_tokens() {
    for model in ["gpt2", "llama", "t5", "bert", "gemma4"] {
        let tiny = vocabulary(model, |entries| {
            entries.retain(|entry| entry.0 == "tokenizer.ggml.model" || entry.0 == "tokenizer.ggml.pre");
            set("tokenizer.ggml.tokens", ["a"].iter().collect::<Strings>())(entries);
            set("tokenizer.ggml.scores", Value::Array(Array::F32(vec![0.0])))(entries);
        });
        assert_eq!(try_out(&tiny), Ok(()), "{model}");
    }
}

/// A long one would be compared with the text at each of its places.
#[test]
fn a_long_user_defined_token_is_refused_by_name() {
    let long = "a".repeat(1000);
    let error = try_out(&vocabulary("llama", |entries| {
        set("tokenizer.ggml.tokens", ["<unk>", "<s>", "</s>", "<0x41>", long.as_str()].iter().collect::<Strings>())(
            entries,
        );
        set("tokenizer.ggml.token_type", Value::Array(Array::I32(vec![2, 3, 3, 6, 4])))(entries);
        set("tokenizer.ggml.add_space_prefix", false)(entries);
    }));
    assert!(error.unwrap_err().contains("special token 4 is 1000 bytes long"));
}

/// Each was looked for by itself, which takes tokens times the template's length.
#[test]
fn a_template_of_many_markers_is_read_once() {
    let markers: Vec<String> = (0..30_000).map(|id| format!("[INST{id}]")).collect();
    let first = ["t", "o", "to"].map(str::to_owned);
    let tokens: Vec<String> = first.into_iter().chain(markers.iter().cloned()).collect();
    let many = vocabulary("llama", |entries| {
        entries.retain(|entry| entry.0 == "tokenizer.ggml.model");
        set("tokenizer.ggml.tokens", tokens.iter().collect::<Strings>())(entries);
        set("tokenizer.ggml.scores", Value::Array(Array::F32(vec![-1.0; tokens.len()])))(entries);
        set("tokenizer.chat_template", "[INST".repeat(200_000))(entries);
    });
    assert_eq!(try_out(&many), Ok(()));
    let written = vocabulary("llama", |entries| {
        entries.retain(|entry| entry.0 == "tokenizer.ggml.model");
        set("tokenizer.ggml.tokens", tokens.iter().collect::<Strings>())(entries);
        set("tokenizer.ggml.scores", Value::Array(Array::F32(vec![-1.0; tokens.len()])))(entries);
        set("tokenizer.chat_template", format!("{{{{ '{}' }}}}", markers[29_999]))(entries);
    });
    let tokenizer = written.load().unwrap();
    assert!(tokenizer.is_control(30_002) && !tokenizer.is_control(30_001));
}

#[test]
fn a_million_tokens_are_loaded() {
    for model in ["gpt2", "llama", "t5", "bert"] {
        let first = ["t", "o", "to"].map(str::to_owned);
        let tokens: Vec<String> = first.into_iter().chain((3..1_000_000).map(|id| format!("token{id}"))).collect();
        let large = vocabulary(model, |entries| {
            entries.retain(|entry| entry.0 == "tokenizer.ggml.model" || entry.0 == "tokenizer.ggml.pre");
            set("tokenizer.ggml.tokens", tokens.iter().collect::<Strings>())(entries);
            set("tokenizer.ggml.merges", ["t o"].iter().collect::<Strings>())(entries);
            set("tokenizer.ggml.scores", Value::Array(Array::F32(vec![-1.0; tokens.len()])))(entries);
        });
        assert!(large.load().is_ok(), "{model}");
    }
}

#[test]
fn a_json_vocabulary_of_a_hundred_thousand_merges_is_loaded() {
    let vocab: Vec<String> = (0..100_000).map(|id| format!("\"{id}\":{id}")).collect();
    let merges: Vec<String> =
        (1..10).flat_map(|left| (0..10_000).map(move |right| format!("[\"{left}\",\"{right}\"]"))).collect();
    let json =
        format!(r#"{{"model":{{"type":"BPE","vocab":{{{}}},"merges":[{}]}}}}"#, vocab.join(","), merges.join(","));
    assert_eq!(try_out(&Vocabulary::Json(json.into_bytes())), Ok(()));
}
