//! Damaged vocabularies as files: `tests/fuzz/tokenizer/NAME.{json,model}`, and beside each in `NAME.expected` what loading it must answer.

use std::fs;
use std::path::Path;

use crate::{Vocabulary, try_out};

/// What a sound file is expected to answer.
const SOUND: &str = "a tokenizer";

#[test]
fn every_damaged_file_is_answered_as_expected() {
    let folder = Path::new(env!("CARGO_MANIFEST_DIR")).join("../tests/fuzz/tokenizer");
    let mut wrong = Vec::new();
    let mut count = 0;
    let mut paths: Vec<_> = fs::read_dir(folder).unwrap().map(|entry| entry.unwrap().path()).collect();
    paths.sort();
    for path in paths.iter().filter(|path| path.extension().is_some_and(|extension| extension != "expected")) {
        let bytes = fs::read(path).unwrap();
        let vocabulary = match path.extension().and_then(|extension| extension.to_str()) {
            Some("json") => Vocabulary::Json(bytes),
            Some("model") => Vocabulary::SentencePiece(bytes),
            other => panic!("no reader for {other:?}"),
        };
        let found = try_out(&vocabulary).err().unwrap_or_else(|| SOUND.into());
        let expected = fs::read_to_string(path.with_extension("expected")).unwrap_or_default();
        count += 1;
        if found != expected.trim_end() {
            wrong.push(format!("{}:\n{found}\nnot\n{expected}", path.display()));
        }
    }
    assert!(count >= 30, "{count} files");
    assert!(wrong.is_empty(), "{}", wrong.join("\n"));
}
