//! Damaged vocabularies as files: `tests/malformed/tokenizers/NAME.{json,model}`, and beside each in `NAME.expected` what loading it
//! must answer. What would be too long for a file is in `generated.rs`.

use std::fs;
use std::path::Path;

use crate::{Vocabulary, generated, try_out};

/// What a sound file is expected to answer.
pub const SOUND: &str = "a tokenizer";

#[test]
fn every_damaged_file_is_answered_as_expected() {
    let folder = Path::new(env!("CARGO_MANIFEST_DIR")).join("../tests/malformed/tokenizers");
    let mut paths: Vec<_> = fs::read_dir(folder).unwrap().map(|entry| entry.unwrap().path()).collect();
    paths.sort();
    paths.retain(|path| path.extension().is_some_and(|extension| extension != "expected"));
    let mut cases: Vec<(String, Vocabulary, String)> = Vec::new();
    for path in &paths {
        let bytes = fs::read(path).unwrap();
        let vocabulary = match path.extension().and_then(|extension| extension.to_str()) {
            Some("json") => Vocabulary::Json(bytes),
            Some("model") => Vocabulary::SentencePiece(bytes),
            other => panic!("no reader for {other:?}"),
        };
        let expected = fs::read_to_string(path.with_extension("expected")).unwrap_or_default();
        cases.push((path.display().to_string(), vocabulary, expected));
    }
    assert!(cases.len() >= 30, "{} files", cases.len());
    let generated = generated::files().into_iter();
    cases.extend(generated.map(|(name, json, expected)| (name.into(), Vocabulary::Json(json.into()), expected.into())));
    let mut wrong = Vec::new();
    for (name, vocabulary, expected) in cases {
        let found = try_out(&vocabulary).err().unwrap_or_else(|| SOUND.into());
        if found != expected.trim_end() {
            wrong.push(format!("{name}:\n{found}\nnot\n{expected}"));
        }
    }
    assert!(wrong.is_empty(), "{}", wrong.join("\n"));
}
