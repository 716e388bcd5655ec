//! What a `tokenizer.json` becomes as a GGUF file's own keys, beside what llama.cpp's converter writes of the same vocabulary.
#![cfg(feature = "hf")]

use std::fs;
use std::path::{Path, PathBuf};

use inglenook_format::gguf::{Gguf, Metadata, Value};
use inglenook_format::source::Memory;
use inglenook_text::tokenizer::gguf_keys;
use inglenook_text::{Special, Tokenizer};

fn file(name: &str) -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("../tests/goldens/tokenizers").join(name)
}

fn exported(family: &str, rows: u64) -> Metadata {
    let json = fs::read(file(&format!("{family}.json"))).unwrap();
    let keys = gguf_keys(&json, rows).unwrap_or_else(|error| panic!("{family}: {error}"));
    Metadata::new(keys.into_iter().map(|(key, value)| (key.to_owned(), value)).collect()).unwrap()
}

fn converted(family: &str) -> Metadata {
    let bytes = fs::read(file(&format!("{family}.gguf"))).unwrap();
    pollster::block_on(Gguf::read(&Memory(bytes))).unwrap().metadata
}

const BYTE_LEVEL: [&str; 16] = [
    "bailingmoe",
    "bloom",
    "command-r",
    "deepseek-coder",
    "deepseek-llm",
    "deepseek-v3",
    "glm4",
    "gpt-2",
    "gpt-4o",
    "kimi-k2",
    "llama-bpe",
    "olmo",
    "qwen2",
    "qwen35",
    "smollm",
    "tekken",
];

#[test]
fn byte_level_and_word_piece_vocabularies_have_the_keys_of_the_converter() {
    for family in BYTE_LEVEL.into_iter().chain(["falcon", "bert-cased", "bert-uncased"]) {
        let (found, expected) = (exported(family, 0), converted(family));
        for key in ["model", "tokens", "token_type", "merges"] {
            let key = format!("tokenizer.ggml.{key}");
            assert_eq!(found.get(&key), expected.get(&key), "{family}: {key}");
        }
    }
}

#[test]
fn exported_vocabularies_encode_as_the_whole_file_does() {
    let strings = fs::read_to_string(file("strings.jsonl")).unwrap();
    let texts: Vec<String> = strings.lines().step_by(20).map(|line| serde_json::from_str(line).unwrap()).collect();
    for family in BYTE_LEVEL.into_iter().chain(["falcon", "bert-cased", "bert-uncased", "llama-spm", "gemma"]) {
        let json = fs::read(file(&format!("{family}.json"))).unwrap();
        let whole = Tokenizer::from_json(&json, None).unwrap();
        let exported = Tokenizer::from_gguf(&exported(family, 0)).unwrap_or_else(|error| panic!("{family}: {error}"));
        let differs = |text: &&String| {
            whole.encode(text, Special::AsText, false) != exported.encode(text, Special::AsText, false)
        };
        // The mark itself, where someone writes it, is a space to SentencePiece, and so part of Gemma's runs of spaces.
        let is_meant = |text: &&String| family != "gemma" || !text.contains('▁');
        let wrong: Vec<&String> = texts.iter().filter(is_meant).filter(differs).collect();
        assert!(wrong.is_empty(), "{family}: {} of {}, such as {:?}", wrong.len(), texts.len(), wrong[0]);
    }
}

#[test]
fn exported_unigram_vocabularies_have_the_scores_of_the_converter() {
    for family in ["t5", "unigram-bytes"] {
        let (found, expected) = (exported(family, 0), converted(family));
        for key in ["model", "tokens", "scores", "precompiled_charsmap", "add_space_prefix"] {
            let key = format!("tokenizer.ggml.{key}");
            assert_eq!(found.get(&key), expected.get(&key), "{family}: {key}");
        }
    }
}

#[test]
fn ids_without_a_token_are_named_up_to_the_rows_of_the_embedding() {
    let of_file = exported("qwen2", 0);
    let filled = exported("qwen2", 2000);
    let tokens = filled.strings("tokenizer.ggml.tokens").unwrap();
    let count = of_file.strings("tokenizer.ggml.tokens").unwrap().len();
    assert_eq!(
        (tokens.len(), tokens.get(count), tokens.get(1999)),
        (2000, Some(&*format!("[PAD{count}]")), Some("[PAD1999]"))
    );
    assert_eq!(filled.i32s("tokenizer.ggml.token_type").unwrap()[1999], 5);
    assert_eq!(filled.get("tokenizer.ggml.pre"), Some(&Value::from("qwen2")));
}

#[test]
fn what_keys_cannot_say_is_an_error_that_names_it() {
    for (family, named) in [("roberta", "ByteLevel with add_prefix_space"), ("words", "WordLevel"), ("xlm-r", "Nmt")] {
        let json = fs::read(file(&format!("{family}.json"))).unwrap();
        let error = gguf_keys(&json, 0).unwrap_err().to_string();
        assert!(error.contains(named), "{family}: {error}");
    }
}
