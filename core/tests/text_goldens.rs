//! Tokenizers against what the reference implementations answered (`tests/goldens`).

use std::fs;
use std::path::{Path, PathBuf};
use std::sync::Arc;

use inglenook::format::gguf::Gguf;
use inglenook::source::Memory;
use inglenook::text::{Special, StreamDecoder, Tokenizer};
use serde_json::Value;

fn goldens(folder: &str) -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("../tests/goldens").join(folder)
}

/// The JSON files of a folder, by name.
fn cases(folder: &str) -> Vec<(String, Value)> {
    let mut paths: Vec<PathBuf> = fs::read_dir(goldens(folder)).unwrap().map(|entry| entry.unwrap().path()).collect();
    paths.retain(|path| path.extension().is_some_and(|extension| extension == "json"));
    paths.sort();
    let read = |path: &PathBuf| serde_json::from_slice(&fs::read(path).unwrap()).unwrap();
    paths.iter().map(|path| (path.file_stem().unwrap().to_str().unwrap().to_owned(), read(path))).collect()
}

fn tokenizer(file: &str) -> Tokenizer {
    let bytes = fs::read(goldens("text").join(file)).unwrap();
    let gguf = pollster::block_on(Gguf::read(&Memory(bytes))).unwrap();
    Tokenizer::from_gguf(&gguf.metadata).unwrap()
}

fn ids(value: &Value) -> Vec<u32> {
    value.as_array().unwrap().iter().map(|id| u32::try_from(id.as_u64().unwrap()).unwrap()).collect()
}

#[test]
fn every_text_has_the_references_ids_and_decodes_as_there() {
    let mut wrong = Vec::new();
    let vocabularies = cases("text");
    assert!(vocabularies.len() >= 6);
    for (name, golden) in vocabularies {
        let tokenizer = Arc::new(tokenizer(golden["vocab"].as_str().unwrap()));
        for case in golden["cases"].as_array().unwrap() {
            let text = case["text"].as_str().unwrap();
            let expected = ids(&case["ids"]);
            let found = tokenizer.encode(text, Special::AsText, false);
            if found != expected {
                wrong.push(format!("{name} {text:?}: {found:?}, not {expected:?}"));
            }
            let special = case.get("special").map_or(expected.clone(), ids);
            let found = tokenizer.encode(text, Special::Parse, false);
            if name != "spm" && found != special {
                wrong.push(format!("{name} {text:?} with special tokens: {found:?}, not {special:?}"));
            }
            let decoded = case.get("decoded").map_or(text, |decoded| decoded.as_str().unwrap());
            let found = tokenizer.decode(&expected);
            if found != decoded {
                wrong.push(format!("{name} {expected:?}: {found:?}, not {decoded:?}"));
            }
            let mut decoder = StreamDecoder::new(tokenizer.clone());
            let mut streamed: String = expected.iter().map(|&id| decoder.push(id)).collect();
            streamed.push_str(&decoder.flush());
            assert_eq!(streamed, found, "{name}");
        }
    }
    assert!(wrong.is_empty(), "{} wrong:\n{}", wrong.len(), wrong.join("\n"));
}
