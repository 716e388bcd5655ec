//! The files of `tests/malformed/gguf`: adding a case is adding a file.

use std::path::{Path, PathBuf};

use crate::{check_parse, read};

fn folder(path: &str) -> Vec<PathBuf> {
    let folder = Path::new(env!("CARGO_MANIFEST_DIR")).join("../tests").join(path);
    let mut files: Vec<PathBuf> =
        std::fs::read_dir(&folder).expect("the folder of files").map(|entry| entry.unwrap().path()).collect();
    files.retain(|path| path.extension().is_some_and(|extension| extension == "gguf"));
    files.sort();
    assert!(!files.is_empty(), "{}", folder.display());
    files
}

/// Beside each file stands what it must give: the error's message, or that of the first tensor which cannot be computed with, or what
/// the file holds.
#[test]
fn each_file_gives_what_stands_beside_it() {
    for path in folder("malformed/gguf") {
        let bytes = std::fs::read(&path).unwrap();
        let answer = match read(&bytes) {
            Ok(gguf) => {
                check_parse(&gguf, Some(bytes.len() as u64));
                match gguf.tensors().iter().find_map(|tensor| tensor.weight_type().err()) {
                    Some(error) => error.to_string(),
                    None => format!("{} entries, {} tensors", gguf.metadata.len(), gguf.tensors().len()),
                }
            }
            Err(error) => error.to_string(),
        };
        let expected = std::fs::read_to_string(path.with_extension("expected")).unwrap_or_default();
        assert_eq!(answer, expected.trim_end(), "{}", path.display());
    }
}

#[test]
fn models_made_by_others_are_read() {
    for path in folder("goldens/models") {
        let bytes = std::fs::read(&path).unwrap();
        let gguf = read(&bytes).unwrap_or_else(|error| panic!("{}: {error}", path.display()));
        check_parse(&gguf, Some(bytes.len() as u64));
        let tokens = gguf.metadata.strings("tokenizer.ggml.tokens").unwrap().len() as u64;
        assert_eq!(gguf.tensor("token_embd.weight").unwrap().rows(), tokens, "{}", path.display());
    }
}
