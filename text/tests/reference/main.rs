//! Tokenizers against Hugging Face's own library, the crate `tokenizers`: no string may be encoded or decoded otherwise.
//!
//! Of each family in `tests/goldens/tokenizers` some strings, of which `INGLENOOK_FULL=1` makes a million in all. `cargo xtask tokenizers`
//! fetches vocabularies of published models and runs the test of those.

mod pair;
mod strings;

use std::path::{Path, PathBuf};
use std::{env, fs, thread};

use pair::Pair;
use strings::Strings;

/// Threads that share the vocabularies.
const THREADS: usize = 2;

/// As many differences of a vocabulary are told.
const TOLD: usize = 5;

#[test]
fn every_family_answers_as_the_reference_does() {
    let folder = Path::new(env!("CARGO_MANIFEST_DIR")).join("../tests/goldens/tokenizers");
    let files = vocabularies(&folder);
    assert!(files.len() >= 27, "{files:?}");
    let all = if env::var_os("INGLENOOK_FULL").is_some() { 1_000_000 } else { 40_000 };
    compare(&files, all / files.len() + 1);
}

/// Ten thousand strings for each vocabulary of the folder that `INGLENOOK_TOKENIZERS` names.
#[test]
#[ignore = "cargo xtask tokenizers fetches the vocabularies and runs it"]
fn published_vocabularies_answer_as_the_reference_does() {
    let folder = env::var_os("INGLENOOK_TOKENIZERS").expect("cargo xtask tokenizers names the folder");
    let files = vocabularies(Path::new(&folder));
    assert!(!files.is_empty());
    compare(&files, 10_000);
}

/// The `tokenizer.json` files of a folder, those with `INGLENOOK_FAMILY` in their name.
fn vocabularies(folder: &Path) -> Vec<PathBuf> {
    let only = env::var("INGLENOOK_FAMILY").unwrap_or_default();
    let paths = fs::read_dir(folder).expect("the folder is there").map(|entry| entry.expect("an entry").path());
    let is_wanted = |path: &PathBuf| {
        path.extension().is_some_and(|extension| extension == "json") && path.to_string_lossy().contains(&only)
    };
    let mut files: Vec<PathBuf> = paths.filter(is_wanted).collect();
    files.sort();
    files
}

/// Compares each vocabulary on `count` strings, and on as many lists of ids.
fn compare(files: &[PathBuf], count: usize) {
    let wrong: Vec<String> = thread::scope(|scope| {
        let share = |first: usize| files.iter().skip(first).step_by(THREADS).flat_map(|file| differences(file, count));
        let threads: Vec<_> = (0..THREADS).map(|first| scope.spawn(move || share(first).collect::<Vec<_>>())).collect();
        threads.into_iter().flat_map(|thread| thread.join().expect("it does not panic")).collect()
    });
    assert!(wrong.is_empty(), "{}", wrong.join("\n"));
}

/// What a vocabulary answers otherwise.
fn differences(file: &Path, count: usize) -> Vec<String> {
    let name = file.file_stem().expect("a name").to_string_lossy();
    let gguf = file.with_extension("gguf");
    // What SentencePiece itself answers, to which those files are held, is not always what the reference does.
    let has_twin = gguf.exists() && !file.with_extension("model").exists();
    let gguf = has_twin.then(|| fs::read(gguf).expect("it can be read"));
    let pair = Pair::new(&fs::read(file).expect("it can be read"), gguf);
    let mut strings = Strings::new(9, &pair.tokens, &pair.names);
    let mut wrong = Vec::new();
    let mut failures = 0;
    for _ in 0..count {
        let text = strings.next();
        let ids = (0..1 + strings.below(8)).map(|_| strings.below(pair.tokens.len()) as u32);
        let ids: Vec<u32> = ids.filter(|&id| !pair.is_byte(id)).collect();
        for difference in [pair.difference(&text), pair.decoding_difference(&ids)].into_iter().flatten() {
            failures += 1;
            if wrong.len() < TOLD {
                wrong.push(format!("{name}, {difference}"));
            }
        }
    }
    println!("{name}: {count} strings, {failures} answered otherwise");
    wrong
}
